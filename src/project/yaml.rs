//! YAML as text with places: the only file that knows `serde_yaml`.
//!
//! A column's PostgreSQL type decides what a scalar means, never YAML, so every scalar is kept as
//! its source text. `serde_yaml` resolves scalars and hides positions, and still gives both up:
//! a first read asks what each node *is*, a second one, steered by that shape, asks for every
//! scalar as a string and then refuses it, which makes the crate say where it stood. (The crate
//! stamps an error with the start of the scalar being read, and reading goes on behind it.)

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};

use super::diagnostic::Diagnostic;
use super::source::{Source, Span};

/// The most nodes one file may hold once its aliases are written out: far above any file a person
/// writes, far below what an alias bomb unfolds to.
pub const NODES_MAX: usize = 1_000_000;

/// The deepest nesting of brackets that is handed to the YAML library, whose scanner takes
/// quadratic time in it.
const BRACKETS_MAX: usize = 1_000;

/// A piece of YAML and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// A scalar's own place; for a list or map, the place of its first word.
    pub span: Span,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `null` or `~`, unquoted.
    Null,
    /// Nothing at all, as in `name:`. Readers refuse it: it may mean null or ''.
    Empty,
    /// A scalar: its text as written, and what YAML's core schema would take it for, which only
    /// matters inside JSON.
    Scalar(String, Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order written; its keys are scalars and unique.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// What YAML's core schema takes a scalar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// Quoted, or a word.
    Text,
    /// A plain number.
    Number,
    /// A plain `true` or `false`.
    Bool,
}

impl Node {
    /// What to call it in a message.
    pub fn noun(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Empty => "nothing",
            Content::Scalar(..) => "a value",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }
}

/// Reads one YAML document.
///
/// Fails with a diagnostic at its place for text that is no YAML, duplicate keys, tags, merge
/// keys, keys that are no scalars, several documents, an empty file, and documents that unfold to
/// more than [`NODES_MAX`] nodes.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    if let Some(at) = too_deep(&source.text) {
        return Err(Diagnostic::error("brackets are nested too deeply")
            .at(source, Span::new(at, at + 1))
            .help(format!(
                "at most {BRACKETS_MAX} may be open at once; put large data into a file of its own"
            )));
    }
    let shapes = Shapes::default();
    let shape = ShapeOf(&shapes)
        .deserialize(serde_yaml::Deserializer::from_str(&source.text))
        .map_err(|error| shapes.diagnose(error, source))?;
    if let Shape::Null = shape {
        return Err(Diagnostic::error("the file is empty")
            .at(source, Span::default())
            .help("write what it should hold, or remove it"));
    }
    let reader = Reader { source, lines: Lines::new(&source.text), found: RefCell::new(None) };
    if !matches!(shape, Shape::List(_) | Shape::Map(_)) {
        let refused = Refuse(&reader).deserialize(serde_yaml::Deserializer::from_str(&source.text));
        let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
        return Ok(reader.scalar(&shape, &refused));
    }
    NodeOf { reader: &reader, shape: &shape }
        .deserialize(serde_yaml::Deserializer::from_str(&source.text))
        .map_err(|error| shapes.diagnose(error, source))
}

// ── First read: what each node is ───────────────────────────────────────────────────────────────

enum Shape {
    Null,
    Scalar(Scalar),
    List(Vec<Shape>),
    Map(Vec<Shape>),
}

/// What the first read counts, and the words for a refusal: the library wraps messages in paths.
#[derive(Default)]
struct Shapes {
    nodes: std::cell::Cell<usize>,
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

    fn diagnose(&self, error: serde_yaml::Error, source: &Arc<Source>) -> Diagnostic {
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

/// Where brackets are nested deeper than allowed. Brackets in strings count too: this only has to
/// keep hostile input from the scanner.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACKETS_MAX {
            return Some(at);
        }
    }
    None
}

#[derive(Clone, Copy)]
struct ShapeOf<'a>(&'a Shapes);

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
        let mut keys = std::collections::HashSet::new();
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
    keys: &'a mut std::collections::HashSet<String>,
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

// ── Second read: every scalar's text and place ──────────────────────────────────────────────────

struct Reader<'a> {
    source: &'a Source,
    lines: Lines,
    /// The scalar that was refused last.
    found: RefCell<Option<String>>,
}

impl Reader<'_> {
    /// The scalar that was just refused, with the place its refusal names.
    fn scalar(&self, shape: &Shape, refusal: &str) -> Node {
        let text = self.found.take().unwrap_or_default();
        let start = self.lines.offset(&self.source.text, refusal_position(refusal));
        let span = Span::new(start, scalar_end(&self.source.text, start, &text));
        let content = match shape {
            Shape::Null if text.is_empty() => Content::Empty,
            Shape::Null => Content::Null,
            Shape::Scalar(kind) => Content::Scalar(text, *kind),
            Shape::List(_) | Shape::Map(_) => Content::Null,
        };
        Node { content, span }
    }
}

/// Refuses a scalar after noting its text.
#[derive(Clone, Copy)]
struct Refuse<'a>(&'a Reader<'a>);

impl<'de> DeserializeSeed<'de> for Refuse<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Refuse<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a scalar")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.found.replace(Some(text.to_owned()));
        Err(E::custom(""))
    }
}

#[derive(Clone, Copy)]
struct NodeOf<'a> {
    reader: &'a Reader<'a>,
    shape: &'a Shape,
}

impl<'de> DeserializeSeed<'de> for NodeOf<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.shape {
            Shape::List(_) => deserializer.deserialize_seq(self),
            _ => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for NodeOf<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let Shape::List(shapes) = self.shape else { return Err(A::Error::custom("the file changed")) };
        let mut items = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let item = if is_scalar(shape) {
                match list.next_element_seed(Refuse(self.reader)) {
                    Ok(_) => return Err(A::Error::custom("the file changed")),
                    Err(refusal) => self.reader.scalar(shape, &refusal.to_string()),
                }
            } else {
                let inner = NodeOf { shape, ..self };
                list.next_element_seed(inner)?.ok_or_else(|| A::Error::custom("the file changed"))?
            };
            items.push(item);
        }
        let span = items.first().map_or(Span::default(), |first| self.opened(first.span));
        Ok(Node { content: Content::List(items), span })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let Shape::Map(shapes) = self.shape else { return Err(A::Error::custom("the file changed")) };
        let mut entries: Vec<Entry> = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let Err(refusal) = map.next_key_seed(Refuse(self.reader)) else {
                return Err(A::Error::custom("the file changed"));
            };
            let key = self.reader.scalar(&Shape::Scalar(Scalar::Text), &refusal.to_string());
            let Content::Scalar(text, _) = key.content else { continue };
            let mut value = if is_scalar(shape) {
                match map.next_value_seed(Refuse(self.reader)) {
                    Ok(()) => return Err(A::Error::custom("the file changed")),
                    Err(refusal) => self.reader.scalar(shape, &refusal.to_string()),
                }
            } else {
                map.next_value_seed(NodeOf { shape, ..self })?
            };
            // What has no place of its own, an empty list or a missing value, is found at its key.
            if value.span == Span::default() || value.content == Content::Empty {
                value.span = key.span;
            }
            entries.push(Entry { key: text, key_span: key.span, value });
        }
        let span = entries.first().map_or(Span::default(), |first| self.opened(first.key_span));
        Ok(Node { content: Content::Map(entries), span })
    }
}

impl NodeOf<'_> {
    /// The place of a list or map: its opening bracket through its first word, or that word.
    fn opened(&self, first: Span) -> Span {
        let before = self.reader.source.text[..first.start as usize].trim_end();
        match before.chars().next_back() {
            Some('{' | '[') => Span::new(before.len() - 1, first.end as usize),
            _ => first,
        }
    }
}

fn is_scalar(shape: &Shape) -> bool {
    matches!(shape, Shape::Null | Shape::Scalar(_))
}

/// The line and column at the end of a refusal. The library leaves them out for the very start.
fn refusal_position(refusal: &str) -> (usize, usize) {
    let place = refusal.rsplit_once("line ").and_then(|(_, place)| place.split_once(" column "));
    match place {
        Some((line, column)) => (line.parse().unwrap_or(1), column.parse().unwrap_or(1)),
        None => (1, 1),
    }
}

/// Where a scalar that starts at a known byte ends in the source.
fn scalar_end(text: &str, start: usize, scalar: &str) -> usize {
    let rest = &text[start..];
    match rest.as_bytes().first() {
        Some(quote @ (b'\'' | b'"')) => {
            let mut escaped = false;
            for (at, byte) in rest.bytes().enumerate().skip(1) {
                match byte {
                    b'\\' if *quote == b'"' && !escaped => escaped = true,
                    byte if byte == *quote && !escaped => return start + at + 1,
                    _ => escaped = false,
                }
            }
            text.len()
        }
        Some(b'|' | b'>') => start + 1,
        _ if rest.starts_with(scalar) => start + scalar.len(),
        _ => start + rest.find(['\n', '\r']).unwrap_or(rest.len()),
    }
}

/// The start of every line, so that a place is found without reading the text again.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Lines {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines(std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect())
    }

    fn offset(&self, text: &str, (line, column): (usize, usize)) -> usize {
        let Some(start) = self.0.get(line - 1) else { return text.len() };
        let within = text[*start..].char_indices().nth(column - 1);
        within.map_or(text.len(), |(at, _)| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree with each scalar as `text@line:column`.
    fn outline(source: &Source, node: &Node) -> String {
        let at = |span: Span| {
            let (line, column) = source.line_column(span.start as usize);
            format!("{line}:{column}")
        };
        match &node.content {
            Content::Null => format!("null@{}", at(node.span)),
            Content::Empty => format!("nothing@{}", at(node.span)),
            Content::Scalar(text, kind) => format!(
                "{text:?}{}@{}",
                match kind {
                    Scalar::Text => "",
                    Scalar::Number => "n",
                    Scalar::Bool => "b",
                },
                at(node.span)
            ),
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| outline(source, item)).collect();
                format!("[{}]", items.join(" "))
            }
            Content::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        format!("{}@{}={}", entry.key, at(entry.key_span), outline(source, &entry.value))
                    })
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    fn check(text: &str, expected: &str) {
        let source = Source::new("a.yaml", text);
        let actual = match parse(&source) {
            Ok(node) => outline(&source, &node),
            Err(diagnostic) => {
                let place = diagnostic.place.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{} at {place}", diagnostic.message)
            }
        };
        assert_eq!(actual, expected, "{text:?}");
    }

    #[test]
    fn scalars_keep_their_text_and_place() {
        check("a: NO\nb: 1.10\n", r#"{a@1:1="NO"@1:4 b@2:1="1.10"n@2:4}"#);
        check(
            "- 007\n- 1e3\n- 12345678901234567890.123\n",
            r#"["007"@1:3 "1e3"n@2:3 "12345678901234567890.123"n@3:3]"#,
        );
        check("[ yes, true, 2026-01-02 ]", r#"["yes"@1:3 "true"b@1:8 "2026-01-02"@1:14]"#);
        check("x", r#""x"@1:1"#);
        check("ä: {ö: ü, z: 'it''s'}", r#"{ä@1:1={ö@1:5="ü"@1:8 z@1:11="it's"@1:14}}"#);
    }

    #[test]
    fn null_is_not_text_and_nothing_is_not_null() {
        check(
            "a: null\nb: ~\nc: 'null'\nd:\ne: ''\n",
            r#"{a@1:1=null@1:4 b@2:1=null@2:4 c@3:1="null"@3:4 d@4:1=nothing@4:1 e@5:1=""@5:4}"#,
        );
    }

    #[test]
    fn block_text_and_nested_blocks_are_found() {
        check(
            "q: |\n  select 1\n  from t\nr:\n  - a: 1\n    b: [x, y]\n  - {}\n",
            r#"{q@1:1="select 1\nfrom t\n"@1:4 r@4:1=[{a@5:5="1"n@5:8 b@6:5=["x"@6:9 "y"@6:12]} {}]}"#,
        );
    }

    #[test]
    fn an_alias_is_read_where_its_anchor_stands() {
        check(
            "a: &x 1\nb: *x\nc: &m {d: 2}\ne: *m\n",
            r#"{a@1:1="1"n@1:4 b@2:1="1"n@1:4 c@3:1={d@3:8="2"n@3:11} e@4:1={d@3:8="2"n@3:11}}"#,
        );
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        check("", "the file is empty at a.yaml:1:1");
        check("# only a comment\n", "the file is empty at a.yaml:1:1");
        check("~", "the file is empty at a.yaml:1:1");
        check("a: 1\na: 2\n", "`a` is given twice at a.yaml:2:1");
        check("- {b: 1, c: 2, b: 3}", "`b` is given twice at a.yaml:1:16");
        check("a:\n  - b\n  -\tc\n d", "a tab cannot indent YAML at a.yaml:3:4");
        check("a:\n\tb: 1\n", "a tab cannot indent YAML at a.yaml:2:1");
        check("a: !now 3\n", "tags (`!word`) are not used here at a.yaml:1:4");
        check("a: &x {b: 1}\nc:\n  <<: *x\n", "merge keys (`<<`) are not used here at a.yaml:3:3");
        check("a: 1\n---\nb: 2\n", "a file holds one document, and here a second one starts at a.yaml:1:1");
        check("a: [1, 2\n", "not YAML: did not find expected ',' or ']' at a.yaml:2:1");
        check("a: *x\n", "not YAML: unknown anchor at a.yaml:1:4");
        check(
            "? [a]\n: 1\n",
            "not YAML: invalid type: sequence, expected a key that is one word at a.yaml:1:3",
        );
    }

    #[test]
    fn bombs_are_refused_before_they_unfold() {
        let anchor = format!("- &a [{}]\n", vec!["x"; 10_000].join(","));
        let bomb = anchor + &"- *a\n".repeat(9_000);
        check(&bomb, "the file unfolds to more than 1000000 values at a.yaml:1:3");
        check(&"{a: ".repeat(50_000), "brackets are nested too deeply at a.yaml:1:4001");
        check(&"[".repeat(1_000_000), "brackets are nested too deeply at a.yaml:1:1001");
    }
}
