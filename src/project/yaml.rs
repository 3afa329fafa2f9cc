//! YAML as text with places: the only place that knows `serde_yaml`.
//!
//! A column's PostgreSQL type decides what a scalar means, never YAML, so every scalar is kept as
//! its source text. `serde_yaml` resolves scalars and hides positions, and still gives both up:
//! a first read asks what each node *is*, a second one, steered by that shape, asks for every
//! scalar as a string and then refuses it, which makes the crate say where it stood. (The crate
//! stamps an error with the start of the scalar being read, and reading goes on behind it.)

mod document;
mod gap;
mod lines;
mod node;
mod shape;

use std::sync::Arc;

use serde::de::DeserializeSeed;

use super::control;
use super::diagnostic::Diagnostic;
use super::source::{Source, Span};
use lines::Lines;
use node::{NodeOf, Reader, Refuse};
use shape::{Shape, ShapeOf, Shapes, tag_refused};

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
    /// A scalar's own place; for a list or map, the place of its first word, or of its brackets if they
    /// are empty.
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
    if let Some(problem) = control::refused_in_yaml(source) {
        return Err(problem);
    }
    let lines = Lines::new(&source.text);
    let shapes = Shapes::default();
    let document = || serde_yaml::Deserializer::from_str(&source.text);
    let diagnose = |error| shapes.diagnose(error, source, &lines);
    let shape = ShapeOf(&shapes).deserialize(document()).map_err(diagnose)?;
    if let Shape::Null = shape {
        return Err(Diagnostic::error("the file is empty")
            .at(source, Span::default())
            .help("write what it should hold, or remove it"));
    }
    let reader = Reader::new(source, &lines);
    let node = if matches!(shape, Shape::List(_) | Shape::Map(_)) {
        NodeOf { reader: &reader, shape: &shape }.deserialize(document()).map_err(diagnose)?
    } else {
        let refused = Refuse(&reader).deserialize(document());
        let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
        reader.scalar(&shape, &refused)
    };
    match reader.tag() {
        Some(tag) => Err(tag_refused(source, tag)),
        None => Ok(node),
    }
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
            r#"{a@1:1="1"n@1:7 b@2:1="1"n@1:7 c@3:1={d@3:8="2"n@3:11} e@4:1={d@3:8="2"n@3:11}}"#,
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
        check("a: 1\n---\nb: 2\n", "a file holds one document, and here a second one starts at a.yaml:2:1");
        check("a: [1, 2\n", "not YAML: did not find expected ',' or ']' at a.yaml:2:1");
        check("a: *x\n", "not YAML: unknown anchor at a.yaml:1:4");
        check("? [a]\n: 1\n", "a key is one word, neither a list nor a map at a.yaml:1:3");
        check("- ? {a: b}\n  : 1\n", "a key is one word, neither a list nor a map at a.yaml:1:5");
    }

    #[test]
    fn every_tag_is_refused_at_its_place() {
        let check = |text: &str, place: &str| {
            check(text, &format!("tags (`!word`) are not used here at a.yaml:{place}"));
        };
        check("rows:\n- {v: !!null x}\n", "2:7");
        check("a: !!binary aGVsbG8=\n", "1:4");
        check("a: !!str 5\n", "1:4");
        check("a: !!int x\n", "1:4");
        check("a: ! 5\n", "1:4");
        check("a: &x !!str 5\n", "1:7");
        check("a: !!str &x 5\n", "1:4");
        check("a: !!str\nb: 1\n", "1:4");
        check("- a\n- !!str\n", "2:3");
        check("!!map\na: 1\n", "1:1");
        check("a: 1\nb: !!seq [1]\n", "2:4");
        check("a: 'it''s'\nb: !!seq\n  - 1\n", "2:4");
        check("a: !!seq []\n", "1:4");
        check("a: x\n  y\n!!str b: 1\n", "3:1");
        check("a: |\n  x ! y\n\n  !!z\nb: !!map {}\n", "5:4");
        check("a: &x 1\nb: *x\nc: !!map {d: *x}\n", "3:4");
    }

    #[test]
    fn an_exclamation_mark_in_text_is_no_tag() {
        check("a: wow !x\nb: 'a''!!b'\n", r#"{a@1:1="wow !x"@1:4 b@2:1="a'!!b"@2:4}"#);
        check("a: x # !y\nb: |- # !z\n  !w\n", r#"{a@1:1="x"@1:4 b@2:1="!w"@2:4}"#);
        check("a: x\n  !y\nb: >\n  !z\n  !w\n", r#"{a@1:1="x !y"@1:4 b@3:1="!z !w\n"@3:4}"#);
        check("%TAG ! tag:x,2000:\n---\na: \"\\\"!b\"", r#"{a@3:1="\"!b"@3:4}"#);
    }

    #[test]
    fn empty_brackets_have_a_place() {
        let places = |text: &str| {
            let source = Source::new("a.yaml", text);
            let mut found = Vec::new();
            let mut todo = vec![parse(&source).unwrap()];
            while let Some(node) = todo.pop() {
                match node.content {
                    Content::List(items) if items.is_empty() => found.push(node.span),
                    Content::Map(entries) if entries.is_empty() => found.push(node.span),
                    Content::List(items) => todo.extend(items.into_iter().rev()),
                    Content::Map(entries) => todo.extend(entries.into_iter().rev().map(|entry| entry.value)),
                    _ => {}
                }
            }
            let place = |span: &Span| {
                let (line, column) = source.line_column(span.start as usize);
                format!("{line}:{column}{}", &text[span.range()])
            };
            found.iter().map(place).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(places("[]"), "1:1[]");
        assert_eq!(places("rows: [{}]"), "1:8{}");
        assert_eq!(places("steps:\n  - a: 'it''s'\n    b: {}\n  - [ ]\n"), "3:8{} 4:5[ ]");
        assert_eq!(places("[[], [[], x], {}]"), "1:2[] 1:7[] 1:15{}");
        assert_eq!(places("a: &x []\nb: *x\nc: [*x, {}]\n"), "1:7[] 2:4*x 3:5*x 3:9{}");
        assert_eq!(places("- |\n  []\n- # {}\n  []\n"), "4:3[]");
    }

    #[test]
    fn places_are_right_whatever_ends_a_line() {
        check("a: 1\r\nb: !x 2\r\n", "tags (`!word`) are not used here at a.yaml:2:4");
        // Whoever shows a place counts `\n` alone.
        check("a: 1\rb: 2\r", r#"{a@1:1="1"n@1:4 b@1:6="2"n@1:9}"#);
        check("a: '\u{2028}'\nb: 2\n", "{a@1:1=\"\\u{2028}\"@1:4 b@2:1=\"2\"n@2:4}");
    }

    #[test]
    fn characters_that_yaml_does_not_have_are_found() {
        check("a: b\nc: d\u{7}e\n", "the file holds a control character, U+0007 at a.yaml:2:5");
        check("a: b\0", "the file holds a NUL character at a.yaml:1:5");
        check("a: \u{85}b\t\u{ffff}", "the file holds a control character, U+FFFF at a.yaml:1:7");
        check("a: \"\\u001b\"", "{a@1:1=\"\\u{1b}\"@1:4}");
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
