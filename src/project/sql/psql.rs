//! psql's own commands, like `\copy`: they begin with a backslash, which begins nothing in SQL.

use super::lexer::{Kind, tokens};
use crate::project::source::{Span, word_length};

/// The commands of psql in a text, each with the word behind its backslash. One ends with its line,
/// whatever stands there.
pub fn commands(sql: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = command(&sql[from..]).map(|at| from + at) {
        found.push(Span::new(at, at + 1 + word_length(&sql[at + 1..])));
        match sql[at..].find('\n') {
            Some(newline) => from = at + newline,
            None => break,
        }
    }
    found
}

fn command(sql: &str) -> Option<usize> {
    // Where a string is open to the end, what stands before it can still be read.
    let readable = match tokens(sql) {
        Ok(tokens) => tokens,
        Err(error) => tokens(&sql[..error.offset]).unwrap_or_default(),
    };
    let is_command =
        |start: usize, end: usize| &sql[start..end] == "\\" && !sql[end..].starts_with(char::is_whitespace);
    let mut signs = readable.into_iter().filter(|token| token.kind == Kind::Sign);
    signs.find(|token| is_command(token.start, token.end)).map(|token| token.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_outside_of_texts_begins_a_command() {
        let check = |sql: &str, expected: &[&str]| {
            let found: Vec<&str> = commands(sql).into_iter().map(|span| &sql[span.range()]).collect();
            assert_eq!(found, expected, "{sql}");
        };
        check("\\set ON_ERROR_STOP on\nselect 1;\n", &["\\set"]);
        check("\\echo it's\n  \\copy t from 'x'\nselect 1 \\gset\n", &["\\echo", "\\copy", "\\gset"]);
        check("copy t from stdin;\na\tb\n\\.\n", &["\\."]);
        check("\\i a.sql\nselect 'open", &["\\i"]);
        check("select E'\\\\x', '\\i' -- \\i\n/* \\i */ from \"\\i\"", &[]);
        check("select 'a\n\\set\n' $$\n\\i\n$$", &[]);
    }
}
