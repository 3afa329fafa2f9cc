//! Keeps the password out of what is printed, wherever it comes from.
//!
//! We never put it into a message. A server, a proxy or a migration may: they know it as well.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::database::dsn::Dsn;
use crate::project::diagnostic::printable;

/// What is shown in its place.
const SHOWN: &str = "***";
/// A shorter one is found in too many words to be taken out of them.
const LENGTH_MIN: usize = 4;

/// The same for one line of several.
const LINE_LENGTH_MIN: usize = 8;
/// The most bytes that the server shows of a value in a row that it refuses.
const SHOWN_MAX: usize = 64;

/// The spellings of the passwords that this process uses.
static SPELLINGS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on the password of this connection is not printed. One that is also the name of the user or
/// the database, as on a developer's own machine, is no secret, and would make the target's name unreadable.
pub fn keep(dsn: &Dsn) {
    let Some(password) = dsn.password.as_ref().map(|password| password.reveal()) else { return };
    if password.chars().count() < LENGTH_MIN || [dsn.user.as_str(), &dsn.database].contains(&password) {
        return;
    }
    keep_text(password);
}

/// From now on this text is not printed, nor a line of it, nor the part of it that the server shows of a long
/// value. One that is very short is: it is found in too many words.
pub fn keep_text(text: &str) {
    let lines = text.lines().filter(|line| line.chars().count() >= LINE_LENGTH_MIN);
    let whole = (text.chars().count() >= LENGTH_MIN).then_some(text);
    let mut spellings = SPELLINGS.write().unwrap_or_else(PoisonError::into_inner);
    let known = whole.into_iter().chain(lines).flat_map(|text| [text, beginning(text)]);
    for spelling in known.flat_map(spellings_of) {
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    // One may be the beginning of another.
    spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
}

/// The same for JSON as text: what stands between quotes is censored, so that it stays JSON when a secret
/// is a number.
pub fn censored_json(text: &str) -> String {
    let spellings = SPELLINGS.read().unwrap_or_else(PoisonError::into_inner);
    censor_json(text, &spellings)
}

fn censor_json(text: &str, spellings: &[String]) -> String {
    let (mut censored, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('"') {
        let mut is_escaped = false;
        let end = behind.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let (inside, behind) = behind.split_at(end.unwrap_or(behind.len()));
        censored.push_str(before);
        censored.push('"');
        censored.push_str(&censor(inside, spellings));
        if let Some(behind) = behind.strip_prefix('"') {
            censored.push('"');
            rest = behind;
        } else {
            rest = "";
        }
    }
    censored + rest
}

fn beginning(text: &str) -> &str {
    let mut end = SHOWN_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text without any of the passwords.
pub fn censored(text: &str) -> Cow<'_, str> {
    censor(text, &SPELLINGS.read().unwrap_or_else(PoisonError::into_inner))
}

/// As it is, as it stands in a URL, in JSON, and in SQL and what the server quotes.
fn spellings_of(password: &str) -> [String; 5] {
    let encoded = utf8_percent_encode(password, NON_ALPHANUMERIC).to_string();
    let json = serde_json::Value::from(password).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
    let printed = printable(password);
    [password.to_owned(), encoded, json, password.replace('\'', "''"), printed]
}

fn censor<'t>(text: &'t str, spellings: &[String]) -> Cow<'t, str> {
    let mut censored = Cow::Borrowed(text);
    for spelling in spellings {
        if censored.contains(spelling.as_str()) {
            censored = Cow::Owned(censored.replace(spelling.as_str(), SHOWN));
        }
    }
    censored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_in_every_spelling() {
        let spellings = spellings_of("p@ss\"wörd");
        for (text, expected) in [
            ("nothing here", "nothing here"),
            ("it is p@ss\"wörd, twice: p@ss\"wörd", "it is ***, twice: ***"),
            ("postgres://u:p%40ss%22w%C3%B6rd@h", "postgres://u:***@h"),
            (r#"{"message": "p@ss\"wörd"}"#, r#"{"message": "***"}"#),
        ] {
            assert_eq!(censor(text, &spellings), expected);
        }
    }

    #[test]
    fn json_stays_json() {
        let spellings: Vec<String> = ["5432", "a\\\"b"].iter().flat_map(|it| spellings_of(it)).collect();
        let check = |text: &str, expected: &str| assert_eq!(censor_json(text, &spellings), expected);
        check(
            r#"{"ms": 15432, "at": "h:5432", "x\\": 5432}"#,
            r#"{"ms": 15432, "at": "h:***", "x\\": 5432}"#,
        );
        check(r#"["a\\\"b", 5432]"#, r#"["***", 5432]"#);
        check("5432", "5432");
    }

    #[test]
    fn long_texts_and_lines_of_them_are_found_too() {
        let long = "x".repeat(100);
        keep_text(&format!("first line\nshort\n{long}"));
        let shown = format!("{} | first line | short", &long[..64]);
        assert_eq!(censored(&shown), "*** | *** | short");
    }
}
