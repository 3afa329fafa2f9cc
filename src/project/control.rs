//! Characters nobody sees, in places where they can only do harm.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::source::{Source, Span};

/// The first character of a file that YAML does not have.
pub fn refused_in_yaml(source: &Arc<Source>) -> Option<Diagnostic> {
    let is_refused = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        c => c.is_control(),
    };
    find(source, is_refused, "in double quotes write it as an escape, like `\\u001b`; else remove it")
}

/// The first NUL of a file. The server takes it for the end of what it was sent.
pub fn refused_in_sql(source: &Arc<Source>) -> Option<Diagnostic> {
    find(source, |c| c == '\0', "")
}

fn find(source: &Arc<Source>, is_refused: impl Fn(char) -> bool, help: &str) -> Option<Diagnostic> {
    let (at, c) = source.text.char_indices().find(|(_, c)| is_refused(*c))?;
    let message = match c {
        '\0' => "the file holds a NUL character".to_owned(),
        c => format!("the file holds a control character, U+{:04X}", u32::from(c)),
    };
    let help = if c == '\0' { "remove it; PostgreSQL takes none" } else { help };
    Some(Diagnostic::error(message).at(source, Span::new(at, at + c.len_utf8())).help(help))
}

/// Whether a character can steer a terminal, or change the order in which others are shown.
pub fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
