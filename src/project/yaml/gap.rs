//! What stands between two scalars: brackets, tags, anchors, aliases, comments and punctuation. The
//! library tells nothing of where they stand; but as every scalar is known, what is left is easy.

use crate::project::source::Span;
use crate::project::written::is_blank;

/// A piece of a gap that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// `[` or `{`
    Open(usize),
    /// `]` or `}`
    Close(usize),
    /// `!word`
    Tag(Span),
    /// `*name`
    Alias(Span),
    /// What does not belong into a gap.
    Other,
}

/// The first tag in a gap.
pub fn tag(text: &str, from: usize, to: usize) -> Option<Span> {
    pieces(text, from, to).find_map(|piece| match piece {
        Piece::Tag(span) => Some(span),
        _ => None,
    })
}

/// The next brackets with nothing in them, or the alias that stands for such. Whatever else comes
/// first means that there are none.
pub fn empty_brackets(text: &str, from: usize) -> Option<Span> {
    let mut opened = None;
    for piece in pieces(text, from, text.len()) {
        match piece {
            Piece::Open(at) => opened = Some(at),
            Piece::Close(at) => {
                if let Some(start) = opened {
                    return Some(Span::new(start, at + 1));
                }
            }
            Piece::Alias(span) => return Some(span),
            Piece::Tag(_) => {}
            Piece::Other => return None,
        }
    }
    None
}

/// The byte behind the tags and anchors that stand before a node.
pub fn behind_properties(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = &text[at..];
        at += match rest.as_bytes().first() {
            Some(b'!') => tag_length(rest),
            Some(b'&') => 1 + name_length(&rest[1..]),
            Some(b'#') if at > from => comment_length(rest),
            // Only what follows a property is passed over: without one, the node begins here.
            _ if at > from => match rest.chars().next().filter(|c| is_blank(*c)) {
                Some(blank) => blank.len_utf8(),
                None => return at,
            },
            _ => return at,
        };
    }
}

fn pieces(text: &str, from: usize, to: usize) -> impl Iterator<Item = Piece> {
    let mut at = from;
    std::iter::from_fn(move || {
        while at < to {
            let rest = &text[at..to];
            let first = rest.chars().next()?;
            let (length, piece) = match first {
                '[' | '{' => (1, Some(Piece::Open(at))),
                ']' | '}' => (1, Some(Piece::Close(at))),
                '!' => {
                    let length = tag_length(rest);
                    (length, Some(Piece::Tag(Span::new(at, at + length))))
                }
                '*' => {
                    let length = 1 + name_length(&rest[1..]);
                    (length, Some(Piece::Alias(Span::new(at, at + length))))
                }
                '&' => (1 + name_length(&rest[1..]), None),
                '#' => (comment_length(rest), None),
                '%' if text[..at].ends_with('\n') || at == 0 => (comment_length(rest), None),
                '-' | '?' | ':' | ',' | '.' => (1, None),
                blank if is_blank(blank) => (blank.len_utf8(), None),
                other => (other.len_utf8(), Some(Piece::Other)),
            };
            at += length;
            if piece.is_some() {
                return piece;
            }
        }
        None
    })
}

fn tag_length(rest: &str) -> usize {
    if rest.starts_with("!<") {
        return rest.find('>').map_or(rest.len(), |end| end + 1);
    }
    rest.find(|c| is_blank(c) || matches!(c, ',' | '[' | ']' | '{' | '}')).unwrap_or(rest.len())
}

fn name_length(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len())
}

fn comment_length(rest: &str) -> usize {
    rest.find(['\n', '\r']).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_with_nothing_in_them_are_found_past_everything_but_words() {
        let check = |text: &str, expected: &str| {
            let found = empty_brackets(text, 0).map_or("", |span| &text[span.range()]);
            assert_eq!(found, expected, "{text}");
        };
        check(": []", "[]");
        check(": [{}, x]", "{}");
        check("\n  - &a # [no]\n    { # no\n }", "{ # no\n }");
        check(": *a\nb: []", "*a");
        check(": x []", "");
        check("]\n", "");
    }

    #[test]
    fn tags_are_found_and_nothing_else_is() {
        let check = |text: &str, expected: &str| {
            let found = tag(text, 0, text.len()).map_or("", |span| &text[span.range()]);
            assert_eq!(found, expected, "{text}");
        };
        check(": !!map {", "!!map");
        check(": !<tag:yaml.org,2002:seq> [", "!<tag:yaml.org,2002:seq>");
        check(": [!a, !b]", "!a");
        check("%TAG ! tag:x\n--- # !c\n- &a *b", "");
    }
}
