//! How the text of a YAML scalar stands in its file.
//!
//! YAML folds lines and takes indentation away, but in every style without escapes the characters
//! that are no white space stand in the file one after the other as they stand in the text.

use super::control;

/// Whether YAML takes a character for the end of a line.
pub fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether YAML takes a character for white space.
pub fn is_blank(c: char) -> bool {
    is_break(c) || matches!(c, ' ' | '\t')
}

/// The byte behind a scalar that begins at a byte of a file, given its text.
pub fn end(file: &str, start: usize, text: &str) -> usize {
    let rest = &file[start..];
    match rest.as_bytes().first() {
        Some(quote @ (b'\'' | b'"')) => quoted_end(rest, *quote).map_or(file.len(), |length| start + length),
        _ => locate(file, start, text, text.len())
            .unwrap_or_else(|| start + rest.find(['\n', '\r']).unwrap_or(rest.len())),
    }
}

/// The byte of the file at which a byte of a scalar's text stands; behind its last character for what
/// comes behind that. `None` where escapes keep the two apart.
pub fn locate(file: &str, start: usize, text: &str, offset: usize) -> Option<usize> {
    let rest = &file[start..];
    let body = match rest.as_bytes().first() {
        Some(b'|' | b'>') => rest.find(['\n', '\r']).unwrap_or(rest.len()),
        Some(b'\'' | b'"') => 1,
        _ => 0,
    };
    let mut written = rest[body..].char_indices().filter(|(_, c)| !is_blank(*c));
    let mut end = start + body;
    for (at, c) in text.char_indices().filter(|(_, c)| !is_blank(*c)) {
        let (place, same) = written.next()?;
        if same != c {
            return None;
        }
        let place = start + body + place;
        if at >= offset {
            return Some(place);
        }
        end = place + c.len_utf8();
    }
    Some(end)
}

/// A text as it is written in a file, with quotes where it would be read as something else.
pub fn write(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '+');
    let inner = |c: char| is_plain(c) || matches!(c, ' ' | '-');
    let is_word = text.starts_with(is_plain) && text.ends_with(is_plain) && text.chars().all(inner);
    let is_null = text.eq_ignore_ascii_case("null");
    if is_word && !is_null {
        return text.to_owned();
    }
    quoted(text)
}

/// A text in quotes: in double ones where it has characters that only an escape can say.
pub fn quoted(text: &str) -> String {
    if text.chars().any(needs_escape) {
        return double_quoted(text);
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A text in double quotes.
pub fn double_quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string(); // Its escapes are YAML's too.
    let mut written = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            c if needs_escape(c) => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written
}

fn needs_escape(c: char) -> bool {
    control::is_harmful(c) || is_break(c) || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn quoted_end(rest: &str, quote: u8) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Source;
    use crate::project::yaml::{self, Content};

    #[test]
    fn what_is_written_is_read_again() {
        let check = |text: &str, expected: &str| {
            assert_eq!(write(text), expected);
            let source = Source::new("a.yaml", format!("[{}]", write(text)));
            let Content::List(items) = yaml::parse(&source).unwrap().content else { panic!("{text}") };
            let [item] = items.as_slice() else { panic!("{text}") };
            assert!(matches!(&item.content, Content::Scalar(read, _) if read == text), "{text}: {item:?}");
        };
        check("so so", "so so");
        check("yes", "yes");
        check("007", "007");
        check("Null", "'Null'");
        check("~", "'~'");
        check("", "''");
        check("it's: so", "'it''s: so'");
        check("- a", "'- a'");
        check(" a", "' a'");
        check("a, b", "'a, b'");
        check("a #b", "'a #b'");
        check("...", "...");
        check("!a", "'!a'");
        check("a\nb\u{7}", "\"a\\nb\\u0007\"");
        check("a\u{7f}\u{85}\u{2028}\u{202e}b", "\"a\\u007f\\u0085\\u2028\\u202eb\"");
        check("\u{feff}\u{fffe}", "\"\\ufeff\\ufffe\"");
    }

    #[test]
    fn a_scalar_ends_where_its_last_character_stands() {
        let check = |file: &str, text: &str, rest: &str| {
            assert_eq!(&file[end(file, 0, text)..], rest, "{file:?}");
        };
        check("a b\n   c # d", "a b c", " # d");
        check("'it''s' # x", "it's", " # x");
        check(r#""a\"b" "#, "a\"b", " ");
        check("| # !x\n  a\n\n   b\n\nk: 1", "a\n\n b\n", "\n\nk: 1");
        check(">-\n  a\n  b\nk: 1", "a b", "\nk: 1");
        check("|\nk: 1", "", "\nk: 1");
        check("\"open", "open", "");
    }

    #[test]
    fn a_byte_of_the_text_is_found_in_every_style_without_escapes() {
        let check = |file: &str, text: &str, word: &str, expected: Option<&str>| {
            let offset = text.find(word).unwrap_or(text.len());
            assert_eq!(locate(file, 0, text, offset).map(|at| &file[at..]), expected, "{file:?}");
        };
        check("|2\n     a\n   b c\nk: 1", "   a\n b c\n", "c", Some("c\nk: 1"));
        check("|\n  a\n\nk: 1", "a\n", "nothing", Some("\n\nk: 1"));
        check(">\n  select\n  tab\n", "select tab\n", "tab", Some("tab\n"));
        check("'a b'", "a b", "b", Some("b'"));
        check("'it''s b'", "it's b", "b", None);
        check("\"a\\tb\"", "a\tb", "b", None);
    }
}
