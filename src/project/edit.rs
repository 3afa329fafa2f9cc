//! Edits: pieces of a text and what is written in their place. All are named by their bytes in the text as
//! it was read, whatever the others do to it.

use std::ops::Range;

use super::source::Span;

/// A piece of a text, and what stands there afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; nothing where something is only added.
    pub span: Span,
    /// By what.
    pub by: String,
}

impl Edit {
    /// What replaces a range of bytes.
    pub fn new(range: Range<usize>, by: impl Into<String>) -> Edit {
        Edit { span: Span::new(range.start, range.end), by: by.into() }
    }
}

/// The text with all edits made; nothing where two of them are about the same bytes. What is added at one
/// place is added in the order given, and before what is replaced there.
pub fn apply(text: &str, edits: &[Edit]) -> Option<String> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for Edit { span, by } in edits {
        let range = span.range();
        edited.push_str(text.get(at..range.start)?);
        edited.push_str(by);
        text.get(range.clone())?;
        at = range.end;
    }
    edited.push_str(text.get(at..)?);
    Some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_made_at_the_places_of_the_text_as_it_was() {
        let check = |edits: &[(Range<usize>, &str)], expected: Option<&str>| {
            let edits: Vec<Edit> = edits.iter().map(|(range, by)| Edit::new(range.clone(), *by)).collect();
            assert_eq!(apply("a: é, b", &edits).as_deref(), expected, "{edits:?}");
        };
        check(&[], Some("a: é, b"));
        check(&[(7..8, "x"), (0..1, "long")], Some("long: é, x"));
        check(&[(3..5, ""), (3..3, "1"), (3..3, "2")], Some("a: 12, b"));
        check(&[(0..3, ""), (3..5, "")], Some(", b"));
        check(&[(0..3, ""), (2..5, "")], None);
        check(&[(4..5, "")], None);
        check(&[(8..9, "")], None);
    }
}
