//! Tokens of SQL text, without gaps: every byte belongs to one.

use super::{SqlError, SqlErrorKind};

/// A token: what it is, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// White space.
    Space,
    /// `-- …` or `/* … */`
    Comment,
    /// A string of any kind, dollar-quoted ones too.
    String,
    /// A name or keyword.
    Word,
    /// `"name"`
    QuotedWord,
    /// A number.
    Number,
    /// `$1`
    Positional,
    /// A single `:`
    Colon,
    /// `::` or `:=`
    DoubleColon,
    /// `;`
    Semicolon,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// Any other sign.
    Sign,
}

/// The tokens of a text, or the token that is not closed.
pub fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < sql.len() {
        let (kind, end) = token(sql, at)?;
        tokens.push(Token { kind, start: at, end });
        at = end;
    }
    Ok(tokens)
}

fn token(sql: &str, at: usize) -> Result<(Kind, usize), SqlError> {
    let rest = &sql[at..];
    let bytes = rest.as_bytes();
    let second = bytes.get(1).copied();
    let unclosed = |kind| SqlError { offset: at, kind };
    Ok(match bytes[0] {
        b if is_space(b) => (Kind::Space, at + run(bytes, 0, is_space)),
        b'-' if second == Some(b'-') => (Kind::Comment, at + run(bytes, 0, |b| b != b'\n' && b != b'\r')),
        b'/' if second == Some(b'*') => {
            (Kind::Comment, at + comment(bytes).ok_or(unclosed(SqlErrorKind::OpenComment))?)
        }
        b'\'' => {
            (Kind::String, at + quoted(bytes, 0, b'\'', false).ok_or(unclosed(SqlErrorKind::OpenString))?)
        }
        b'"' => {
            let end = quoted(bytes, 0, b'"', false).ok_or(unclosed(SqlErrorKind::OpenIdentifier))?;
            (Kind::QuotedWord, at + end)
        }
        b'e' | b'E' if second == Some(b'\'') => {
            (Kind::String, at + quoted(bytes, 1, b'\'', true).ok_or(unclosed(SqlErrorKind::OpenString))?)
        }
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if second == Some(b'\'') => {
            (Kind::String, at + quoted(bytes, 1, b'\'', false).ok_or(unclosed(SqlErrorKind::OpenString))?)
        }
        b'u' | b'U' if second == Some(b'&') && matches!(bytes.get(2), Some(b'\'' | b'"')) => {
            let (kind, error) = match bytes[2] {
                b'\'' => (Kind::String, SqlErrorKind::OpenString),
                _ => (Kind::QuotedWord, SqlErrorKind::OpenIdentifier),
            };
            (kind, at + quoted(bytes, 2, bytes[2], false).ok_or(unclosed(error))?)
        }
        b'$' if second.is_some_and(|b| b.is_ascii_digit()) => {
            (Kind::Positional, at + run(bytes, 1, |b| b.is_ascii_digit()))
        }
        b'$' => match dollar_tag(bytes) {
            Some(tag) => {
                let tag = &rest[..tag];
                let close = rest[tag.len()..].find(tag).ok_or(unclosed(SqlErrorKind::OpenDollar))?;
                (Kind::String, at + close + 2 * tag.len())
            }
            None => (Kind::Sign, at + 1),
        },
        b if is_word_start(b) => (Kind::Word, at + run(bytes, 0, is_word)),
        b if b.is_ascii_digit() => (Kind::Number, at + number(bytes)),
        b'.' if second.is_some_and(|b| b.is_ascii_digit()) => (Kind::Number, at + number(bytes)),
        b':' if matches!(second, Some(b':' | b'=')) => (Kind::DoubleColon, at + 2),
        b':' => (Kind::Colon, at + 1),
        b';' => (Kind::Semicolon, at + 1),
        b'(' | b'[' => (Kind::Open, at + 1),
        b')' | b']' => (Kind::Close, at + 1),
        _ => (Kind::Sign, at + 1),
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The end of the run of such bytes that begins at `from`.
fn run(bytes: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |length| from + length)
}

/// The end of a comment; comments nest.
fn comment(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The end of a text whose opening quote is at `from`; a doubled quote is one of its characters.
fn quoted(bytes: &[u8], from: usize, quote: u8, backslashes: bool) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match bytes.get(at)? {
            b'\\' if backslashes => at += 2,
            byte if *byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The length of `$tag$`, if there is one. A tag is a name without `$`.
fn dollar_tag(bytes: &[u8]) -> Option<usize> {
    let is_tag = |byte: u8| is_word(byte) && byte != b'$';
    let end = run(bytes, 1, is_tag);
    let starts_well = end == 1 || is_word_start(bytes[1]);
    (starts_well && bytes.get(end) == Some(&b'$')).then_some(end + 1)
}

/// The end of a number. `1..2` is a number, two dots and another: a slice.
fn number(bytes: &[u8]) -> usize {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut end = run(bytes, 0, is_digit);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) != Some(&b'.') {
        end = run(bytes, end + 1, is_digit);
    }
    let has_exponent =
        matches!(bytes.get(end.wrapping_sub(1)), Some(b'e' | b'E')) && !bytes.starts_with(b"0x");
    if has_exponent && matches!(bytes.get(end), Some(b'+' | b'-')) {
        end = run(bytes, end + 1, |byte| byte.is_ascii_digit());
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &str) {
        let shown = match tokens(sql) {
            Ok(tokens) => {
                let visible = tokens.iter().filter(|token| token.kind != Kind::Space);
                visible
                    .map(|token| format!("{:?}<{}>", token.kind, &sql[token.start..token.end]))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Err(error) => format!("{error} at {}", error.offset),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn strings_and_names_keep_what_is_in_them() {
        check("'it''s; :x'", "String<'it''s; :x'>");
        check(r"'a\' b", r"String<'a\'> Word<b>");
        check(r"E'a\'b' e'\\'", r"String<E'a\'b'> String<e'\\'>");
        check("\"a\"\"b;\" u&\"d\" U&'x'", "QuotedWord<\"a\"\"b;\"> QuotedWord<u&\"d\"> String<U&'x'>");
        check("b'01' X'ff' n'x' ex'y'", "String<b'01'> String<X'ff'> String<n'x'> Word<ex> String<'y'>");
        check("$$a;'$$ $t$ $$ :x $t$", "String<$$a;'$$> String<$t$ $$ :x $t$>");
        check("a$$b$$ $1 $é$x$é$", "Word<a$$b$$> Positional<$1> String<$é$x$é$>");
    }

    #[test]
    fn comments_end_where_the_server_ends_them() {
        check("a -- b ; '\nc", "Word<a> Comment<-- b ; '> Word<c>");
        check("/* a /* b */ c */ d", "Comment</* a /* b */ c */> Word<d>");
        check("1 - -1 / *", "Number<1> Sign<-> Sign<-> Number<1> Sign</> Sign<*>");
    }

    #[test]
    fn numbers_casts_and_slices_are_told_apart() {
        check("1.5e-3 .5 1_000 0x1F", "Number<1.5e-3> Number<.5> Number<1_000> Number<0x1F>");
        check("a::int := :b", "Word<a> DoubleColon<::> Word<int> DoubleColon<:=> Colon<:> Word<b>");
        check(
            "a[1:2] 1..2",
            "Word<a> Open<[> Number<1> Colon<:> Number<2> Close<]> Number<1> Sign<.> Number<.2>",
        );
    }

    #[test]
    fn what_is_not_closed_is_an_error_where_it_opens() {
        check("a 'b", "this string is not closed at 2");
        check("E'b\\'", "this string is not closed at 0");
        check("\"b", "this quoted name is not closed at 0");
        check("a /* /* */", "this comment is not closed at 2");
        check("$x$ $y$", "this dollar-quoted text is not closed at 0");
        check("$ $x $", "Sign<$> Sign<$> Word<x> Sign<$>");
    }

    /// Fragments put together in every order of a small random walk: never a panic, never a gap.
    #[test]
    fn every_byte_belongs_to_one_token() {
        let fragments = [
            "'", "''", "\"", "$$", "$a$", "$1", "--", "/*", "*/", "\n", "e'\\'", ":", "::", "ä", "1.", "..",
            "u&", ";", " ", "x",
        ];
        let mut state = 42u64;
        for _ in 0..20_000 {
            let mut sql = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                sql.push_str(fragments[(state >> 33) as usize % fragments.len()]);
            }
            let Ok(tokens) = tokens(&sql) else { continue };
            let mut end = 0;
            for token in tokens {
                assert_eq!(token.start, end, "{sql}");
                assert!(token.end > token.start && sql.is_char_boundary(token.end), "{sql}");
                end = token.end;
            }
            assert_eq!(end, sql.len(), "{sql}");
        }
    }
}
