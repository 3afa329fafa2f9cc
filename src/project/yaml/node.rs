//! The second read: every scalar's text and place.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::lines::Lines;
use super::shape::Shape;
use super::{Content, Entry, Node, Scalar, gap};
use crate::project::source::{Source, Span};
use crate::project::written;

/// The file being read, and the scalar that was refused last.
pub struct Reader<'a> {
    source: &'a Source,
    lines: &'a Lines,
    found: RefCell<Option<String>>,
    /// The byte behind what was read so far. What an alias repeats stands before it.
    behind: Cell<usize>,
    tag: Cell<Option<Span>>,
}

impl<'a> Reader<'a> {
    /// A reader of a file.
    pub fn new(source: &'a Source, lines: &'a Lines) -> Reader<'a> {
        Reader { source, lines, found: RefCell::new(None), behind: Cell::new(0), tag: Cell::new(None) }
    }

    /// The first tag of the file, once all of it was read. The library honours some and drops others.
    pub fn tag(&self) -> Option<Span> {
        let text = &self.source.text;
        self.tag.get().or_else(|| gap::tag(text, self.behind.get(), text.len()))
    }

    /// The scalar that was just refused, with the place its refusal names.
    pub fn scalar(&self, shape: &Shape, refusal: &str) -> Node {
        let text = self.found.take().unwrap_or_default();
        let file = &self.source.text;
        let node = self.lines.offset(file, refusal_position(refusal));
        let start = gap::behind_properties(file, node);
        let style = file[start..].chars().next();
        let (start, end) = match style {
            // Nothing was written at all, and what comes next is another node.
            _ if text.is_empty() && !matches!(style, Some('\'' | '"' | '|' | '>')) => (node, node),
            _ => (start, written::end(file, start, &text)),
        };
        self.pass(start, end);
        let is_block = matches!(style, Some('|' | '>')) && end > start;
        let span = Span::new(start, if is_block { start + 1 } else { end });
        let content = match shape {
            Shape::Null if text.is_empty() => Content::Empty,
            Shape::Null => Content::Null,
            Shape::Scalar(kind) => Content::Scalar(text, *kind),
            Shape::List(_) | Shape::Map(_) => Content::Null,
        };
        Node { content, span }
    }

    /// The place of the empty brackets that come next.
    fn empty(&self) -> Option<Span> {
        let found = gap::empty_brackets(&self.source.text, self.behind.get())?;
        self.pass(found.start as usize, found.end as usize);
        Some(found)
    }

    /// Goes on behind a piece of the file, after a look for tags before it.
    fn pass(&self, start: usize, end: usize) {
        let behind = self.behind.get();
        if start < behind {
            return; // An alias repeats it.
        }
        if self.tag.get().is_none() {
            self.tag.set(gap::tag(&self.source.text, behind, start));
        }
        self.behind.set(end);
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
        let span = match items.first() {
            Some(first) => self.opened(first.span),
            None => self.reader.empty().unwrap_or_default(),
        };
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
            // What has no place of its own, like a missing value, is found at its key.
            if value.span == Span::default() || value.content == Content::Empty {
                value.span = key.span;
            }
            entries.push(Entry { key: text, key_span: key.span, value });
        }
        let span = match entries.first() {
            Some(first) => self.opened(first.key_span),
            None => self.reader.empty().unwrap_or_default(),
        };
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
