//! The first read: what each node is, and whether the file may be read at all.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::{NODES_MAX, Scalar};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Source, Span};

/// What a node is, without its text.
pub enum Shape {
    Null,
    Scalar(Scalar),
    List(Vec<Shape>),
    Map(Vec<Shape>),
}

/// What the first read counts, and the words for a refusal: the library wraps messages in paths.
#[derive(Default)]
pub struct Shapes {
    nodes: Cell<usize>,
    refusal: RefCell<Option<(String, String)>>,
}

impl Shapes {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > NODES_MAX {
            return Err(self.refuse(
                format!("the file unfolds to more than {NODES_MAX} values"),
                "aliases (`*name`) multiply what they point at; put large data into a CSV file",
            ));
        }
        Ok(())
    }

    fn refuse<E: serde::de::Error>(&self, message: String, help: &str) -> E {
        self.refusal.replace(Some((message, help.to_owned())));
        E::custom("refused")
    }

    /// The words for an error of the library, or for a refusal of our own.
    pub fn diagnose(&self, error: serde_yaml::Error, source: &Arc<Source>) -> Diagnostic {
        let at = error.location().map_or(0, |location| source.offset(location.line(), location.column()));
        let here = source.text[at..].chars().next();
        let span = Span::new(at, at + here.map_or(0, char::len_utf8));
        if let Some((message, help)) = self.refusal.take() {
            return Diagnostic::error(message).at(source, span).help(help);
        }
        let words = error.to_string();
        let (message, help) = match () {
            () if here == Some('\t')
                || words.contains("cannot start any token") && line_has_tab(&source.text, at) =>
            {
                ("a tab cannot indent YAML".to_owned(), Some("use spaces"))
            }
            () if words.contains("more than one document") => (
                "a file holds one document, and here a second one starts".to_owned(),
                Some("remove the `---`, or move what follows it into a file of its own"),
            ),
            () if words.contains("recursion limit") => ("nested too deeply".to_owned(), None),
            () if words.contains("repetition limit") => (
                "aliases are repeated too often".to_owned(),
                Some("write the values out, or put large data into a CSV file"),
            ),
            () if words.contains("EOF while parsing") => ("the file ends too early".to_owned(), None),
            () => (format!("not YAML: {}", without_location(&words)), None),
        };
        Diagnostic::error(message).at(source, span).maybe_help(help.map(str::to_owned))
    }
}

fn line_has_tab(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..at].contains('\t') || text[at..].starts_with('\t')
}

/// The library's message up to the place, which is shown as a place.
fn without_location(words: &str) -> String {
    let words = words.split(" at line ").next().unwrap_or(words);
    words.split(" at position ").next().unwrap_or(words).to_owned()
}

/// Reads the shape of one node and of all below it.
#[derive(Clone, Copy)]
pub struct ShapeOf<'a>(pub &'a Shapes);

impl<'de> DeserializeSeed<'de> for ShapeOf<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        self.0.count()?;
        deserializer.deserialize_any(self)
    }
}

macro_rules! scalar_visits {
    ($($visit:ident($type:ty) => $kind:expr;)*) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> Result<Shape, E> { Ok(Shape::Scalar($kind)) })*
    };
}

impl<'de> Visitor<'de> for ShapeOf<'_> {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    scalar_visits! {
        visit_bool(bool) => Scalar::Bool;
        visit_i64(i64) => Scalar::Number;
        visit_u64(u64) => Scalar::Number;
        visit_i128(i128) => Scalar::Number;
        visit_u128(u128) => Scalar::Number;
        visit_f64(f64) => Scalar::Number;
        visit_str(&str) => Scalar::Text;
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null) // How the library calls an empty document.
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut keys = HashSet::new();
        let mut values = Vec::new();
        while map.next_key_seed(KeyOf { shapes: self.0, keys: &mut keys })?.is_some() {
            values.push(map.next_value_seed(self)?);
        }
        Ok(Shape::Map(values))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Shape, A::Error> {
        Err(self
            .0
            .refuse("tags (`!word`) are not used here".to_owned(), "quote the text if it starts with `!`"))
    }
}

/// Reads a key as text, and refuses what is no scalar, a key seen before, and merge keys.
struct KeyOf<'a> {
    shapes: &'a Shapes,
    keys: &'a mut HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeyOf<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is one word")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        if key == "<<" {
            return Err(self.shapes.refuse(
                "merge keys (`<<`) are not used here".to_owned(),
                "write the keys out, or use `defaults`",
            ));
        }
        if !self.keys.insert(key.to_owned()) {
            return Err(self.shapes.refuse(format!("`{key}` is given twice"), "keep one of the two"));
        }
        Ok(())
    }
}
