//! Extents: where lists and maps begin and end in their file. A [`Node`] knows the place of its first word
//! alone; as every scalar is known, what stands between them is only punctuation, blanks and comments.

use std::ops::Range;

use super::source::Span;
use super::written::{self, is_blank};
use super::yaml::{Content, Node};

/// How a node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a word, or as a text in quotes or below `|`.
    Scalar,
    /// Between brackets.
    Flow,
    /// By its indentation.
    Block,
}

/// The bytes of a node, and of those in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// From its first byte to behind its last one: brackets, quotes and the first dash included.
    pub range: Range<usize>,
    /// How it is written.
    pub form: Form,
    /// The items of a list, or the values of a map.
    pub items: Vec<Extent>,
    /// The dashes of a list without brackets.
    pub dashes: Vec<usize>,
}

/// The extent of a node that stands behind a byte of a file, with nothing but punctuation between. There is
/// none where the file says it in a way that is not understood here: with anchors and aliases, or with keys
/// behind `?`.
pub fn extent(file: &str, node: &Node, from: usize) -> Option<Extent> {
    match &node.content {
        Content::Empty => None,
        Content::Null => scalar(file, node.span, None, from),
        Content::Scalar(text, _) => scalar(file, node.span, Some(text), from),
        Content::List(items) => {
            let (at, opening) = first(file, from)?;
            let form = match opening {
                '[' => Form::Flow,
                '-' => Form::Block,
                _ => return None,
            };
            let mut list = Extent { range: at..at, form, items: Vec::new(), dashes: Vec::new() };
            let mut end = if form == Form::Flow { at + 1 } else { from };
            for item in items {
                if form == Form::Block {
                    let (dash, _) = first(file, end).filter(|(_, c)| *c == '-')?;
                    list.dashes.push(dash);
                    end = dash + 1;
                }
                let item = extent(file, item, end)?;
                end = item.range.end;
                list.items.push(item);
            }
            list.range.end = if form == Form::Flow { closed(file, end, ']')? } else { end };
            Some(list)
        }
        Content::Map(entries) => {
            let opening = first(file, from).filter(|(_, c)| *c == '{');
            let form = if opening.is_some() { Form::Flow } else { Form::Block };
            let start = match opening {
                Some((at, _)) => at,
                None => entries.first()?.key_span.start as usize,
            };
            let mut map = Extent { range: start..start, form, items: Vec::new(), dashes: Vec::new() };
            let mut end = if form == Form::Flow { start + 1 } else { from };
            for entry in entries {
                let key = entry.key_span;
                is_gap(file, end, key.start as usize).then_some(())?;
                let value = extent(file, &entry.value, colon(file, key)? + 1)?;
                end = value.range.end;
                map.items.push(value);
            }
            map.range.end = if form == Form::Flow { closed(file, end, '}')? } else { end };
            Some(map)
        }
    }
}

/// The byte of the colon behind a key.
pub fn colon(file: &str, key: Span) -> Option<usize> {
    let end = key.end as usize;
    let rest = file.get(end..)?;
    let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
    rest[blanks..].starts_with(':').then_some(end + blanks)
}

fn scalar(file: &str, span: Span, text: Option<&str>, from: usize) -> Option<Extent> {
    let start = span.start as usize;
    is_gap(file, from, start).then_some(())?;
    let is_block = file[start..].starts_with(['|', '>']);
    let end = match text {
        Some(text) if is_block => written::end(file, start, text),
        _ => span.end as usize,
    };
    Some(Extent { range: start..end, form: Form::Scalar, items: Vec::new(), dashes: Vec::new() })
}

/// The byte behind the bracket that closes what ends at a byte.
fn closed(file: &str, from: usize, bracket: char) -> Option<usize> {
    first(file, from).filter(|(_, c)| *c == bracket).map(|(at, _)| at + 1)
}

/// Whether nothing stands between two bytes that would belong to anything else.
fn is_gap(file: &str, from: usize, to: usize) -> bool {
    from <= to && punctuation(file, from).take_while(|(at, _)| *at < to).all(|(_, c)| c == ',')
}

/// The first character that is no comma.
fn first(file: &str, from: usize) -> Option<(usize, char)> {
    punctuation(file, from).find(|(_, c)| *c != ',')
}

/// The characters behind a byte without blanks and comments.
fn punctuation(file: &str, from: usize) -> impl Iterator<Item = (usize, char)> {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let rest = file.get(at..)?;
            let c = rest.chars().next()?;
            let start = at;
            at += c.len_utf8();
            let begins_comment =
                |before: &str| before.is_empty() || before.ends_with(|c| is_blank(c) || ",[]{}".contains(c));
            match c {
                '#' if begins_comment(&file[..start]) => {
                    at = start + rest.find('\n').unwrap_or(rest.len());
                }
                c if is_blank(c) => {}
                c => return Some((start, c)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Source;
    use crate::project::yaml;

    /// The extent of `v`, the last key, and of what is in it.
    fn check(file: &str, expected: &str) {
        let source = Source::new("a.yaml", file);
        let Content::Map(entries) = yaml::parse(&source).unwrap().content else { panic!("{file}") };
        let entry = entries.last().unwrap();
        let found = extent(file, &entry.value, colon(file, entry.key_span).unwrap() + 1);
        let mut pieces = Vec::new();
        fn collect(file: &str, it: &Extent, pieces: &mut Vec<String>) {
            pieces.push(format!("{:?} {}", it.form, file[it.range.clone()].replace('\n', "⏎")));
            it.items.iter().for_each(|item| collect(file, item, pieces));
        }
        if let Some(found) = &found {
            collect(file, found, &mut pieces);
        }
        assert_eq!(pieces.join("\n"), expected, "{file}");
    }

    #[test]
    fn brackets_are_found_whatever_stands_between() {
        check(
            "v: [ 'a]', # ]\n  {x: it's, y: \"}\"} , ] # ]\n",
            "Flow [ 'a]', # ]⏎  {x: it's, y: \"}\"} , ]\nScalar 'a]'\nFlow {x: it's, y: \"}\"}\nScalar it's\nScalar \"}\"",
        );
        check("v: [[], [[1]], {}]", "Flow [[], [[1]], {}]\nFlow []\nFlow [[1]]\nFlow [1]\nScalar 1\nFlow {}");
        check("u: 1\nv: {a: null}\n", "Flow {a: null}\nScalar null");
    }

    #[test]
    fn blocks_end_with_their_last_word() {
        check(
            "v: # why\n- {a: 1}  # one\n# two\n-   a: x # y\n    b:\n      - 2\n    c: |\n      d\n\n      e\n\n",
            "Block - {a: 1}  # one⏎# two⏎-   a: x # y⏎    b:⏎      - 2⏎    c: |⏎      d⏎⏎      e\nFlow {a: 1}\nScalar 1\nBlock a: x # y⏎    b:⏎      - 2⏎    c: |⏎      d⏎⏎      e\nScalar x\nBlock - 2\nScalar 2\nScalar |⏎      d⏎⏎      e",
        );
        check("v: -5", "Scalar -5");
        check("v:\n  - -5\n  - - 1\n", "Block - -5⏎  - - 1\nScalar -5\nBlock - 1\nScalar 1");
    }

    #[test]
    fn what_is_said_in_other_ways_has_none() {
        check("u: &x [1]\nv: *x\n", "");
        check("v: &x [1]\n", "");
        check("v: [&x 1, *x]\n", "");
        check("v: {? a : 1}\n", "");
    }
}
