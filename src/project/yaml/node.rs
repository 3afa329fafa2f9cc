//! The second read: every scalar's text and place.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::shape::Shape;
use super::{Content, Entry, Node, Scalar};
use crate::project::source::{Source, Span};

/// The file being read, and the scalar that was refused last.
pub struct Reader<'a> {
    source: &'a Source,
    lines: Lines,
    found: RefCell<Option<String>>,
}

impl<'a> Reader<'a> {
    /// A reader of a file.
    pub fn new(source: &'a Source) -> Reader<'a> {
        Reader { source, lines: Lines::new(&source.text), found: RefCell::new(None) }
    }

    /// The scalar that was just refused, with the place its refusal names.
    pub fn scalar(&self, shape: &Shape, refusal: &str) -> Node {
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
pub struct Refuse<'a>(pub &'a Reader<'a>);

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

/// Reads a list or a map of a known shape.
#[derive(Clone, Copy)]
pub struct NodeOf<'a> {
    /// The file.
    pub reader: &'a Reader<'a>,
    /// What the first read saw.
    pub shape: &'a Shape,
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
