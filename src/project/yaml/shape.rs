//! The first read: what each node is, and whether the file may be read at all.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::lines::Lines;
use super::{NODES_MAX, Scalar, document, gap};
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
    pub fn diagnose(&self, error: serde_yaml::Error, source: &Arc<Source>, lines: &Lines) -> Diagnostic {
        let place = |location: serde_yaml::Location| (location.line(), location.column());
        let at = error.location().map_or(0, |location| lines.offset(&source.text, place(location)));
        let here = source.text[at..].chars().next();
        let span = Span::new(at, at + here.map_or(0, char::len_utf8));
        if let Some((message, help)) = self.refusal.take() {
            return Diagnostic::error(message).at(source, span).help(help);
        }
        // The library takes a tag for what the value must be, and complains of the value.
        if let Some(tag) =
            Some(gap::behind_properties(&source.text, at)).and_then(|to| gap::tag(&source.text, at, to))
        {
            return tag_refused(source, tag);
        }
        let words = error.to_string();
        if words.contains("more than one document") {
            let at = document::second(&source.text).unwrap_or(at);
            return Diagnostic::error("a file holds one document, and here a second one starts")
                .at(source, Span::new(at, at + "---".len()))
                .help("remove the `---`, or move what follows it into a file of its own");
        }
        let (message, help) = match () {
            () if here == Some('\t')
                || words.contains("cannot start any token") && line_has_tab(&source.text, at) =>
            {
                ("a tab cannot indent YAML".to_owned(), Some("use spaces"))
            }
            () if words.contains("recursion limit") => ("nested too deeply".to_owned(), None),
            () if words.contains("repetition limit") => (
                "aliases are repeated too often".to_owned(),
                Some("write the values out, or put large data into a CSV file"),
            ),
            () if words.contains(KEY) => (format!("a key is {KEY}"), Some("quote it if it is meant as text")),
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

/// The refusal of a tag.
pub fn tag_refused(source: &Arc<Source>, tag: Span) -> Diagnostic {
    Diagnostic::error(TAGS).at(source, tag).help(TAGS_HELP)
}

const TAGS: &str = "tags (`!word`) are not used here";
const TAGS_HELP: &str = "quote the text if it starts with `!`";

/// What a key is.
const KEY: &str = "one word, neither a list nor a map";

/// The library's message up to the place, which is shown as a place, and without the path before it.
fn without_location(words: &str) -> String {
    let words = words.find("invalid ").map_or(words, |start| &words[start..]);
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
        Err(self.0.refuse(TAGS.to_owned(), TAGS_HELP))
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
        formatter.write_str(KEY)
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
