//! libpq's other form of a connection string: `host=localhost dbname='my data'`.

use super::error::DsnError;

/// The options of a text in the order written, quotes and backslashes removed.
///
/// # Errors
///
/// A word is not followed by `=`, or a quote is not closed.
pub fn read(text: &str) -> Result<Vec<(String, String)>, DsnError> {
    let mut options = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after_key) = rest.split_once('=').ok_or_else(missing_equals)?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(missing_equals());
        }
        let (value, after_value) = read_value(after_key.trim_start())?;
        options.push((key.to_owned(), value));
        rest = after_value.trim_start();
    }
    Ok(options)
}

fn read_value(text: &str) -> Result<(String, &str), DsnError> {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(is_quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &text[at + 1..])),
            blank if !is_quoted && blank.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    match is_quoted {
        true => Err(DsnError::new("a value opens a quote that is not closed")
            .help("close it with `'`, and write `'` inside it as `\\'`")),
        false => Ok((value, "")),
    }
}

fn missing_equals() -> DsnError {
    DsnError::new("a word of the connection string is not followed by `=`")
        .help("write options as `name=value`, and a value with blanks as `name='a value'`")
}
