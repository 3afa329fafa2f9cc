//! PostgreSQL's SQL as tokens: enough to know what is code and what is text, and no more.
//!
//! The rules are those of the server's own scanner (`scan.l`) with `standard_conforming_strings` on.

pub mod condition;
pub mod expression;
pub mod lexer;
pub mod parameters;
pub mod psql;
pub mod statements;

use std::fmt;

/// Why some SQL cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The byte it is about.
    pub offset: usize,
    /// What it is.
    pub kind: SqlErrorKind,
}

/// The kinds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// A string that is not closed.
    OpenString,
    /// A quoted identifier that is not closed.
    OpenIdentifier,
    /// A comment that is not closed.
    OpenComment,
    /// A dollar-quoted text that is not closed.
    OpenDollar,
    /// A parameter by number where parameters have names.
    NumberedParameter,
    /// A parameter where there are none.
    ForeignParameter,
    /// The end of a statement inside of an expression.
    Semicolon,
    /// A bracket that closes what was not opened.
    Unopened,
    /// A bracket that is not closed.
    Unclosed,
    /// A comma between expressions.
    SeveralExpressions,
    /// Nothing but white space and comments.
    NoExpression,
}

impl fmt::Display for SqlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            SqlErrorKind::OpenString => "this string is not closed",
            SqlErrorKind::OpenIdentifier => "this quoted name is not closed",
            SqlErrorKind::OpenComment => "this comment is not closed",
            SqlErrorKind::OpenDollar => "this dollar-quoted text is not closed",
            SqlErrorKind::NumberedParameter => "parameters have names here, not numbers",
            SqlErrorKind::ForeignParameter => "this expression has no parameters",
            SqlErrorKind::Semicolon => "an expression has no `;`",
            SqlErrorKind::Unopened => "this closes nothing",
            SqlErrorKind::Unclosed => "this is not closed",
            SqlErrorKind::SeveralExpressions => "this `,` begins a second expression",
            SqlErrorKind::NoExpression => "there is no expression here",
        })
    }
}

impl SqlErrorKind {
    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            SqlErrorKind::OpenString => "close it with `'`",
            SqlErrorKind::OpenIdentifier => "close it with `\"`",
            SqlErrorKind::OpenComment => "close it with `*/`; comments nest",
            SqlErrorKind::OpenDollar => "close it with the same tag that opens it",
            SqlErrorKind::NumberedParameter => "name it: `:name`, with its value under `with`",
            SqlErrorKind::ForeignParameter => "write the value itself into it",
            SqlErrorKind::Semicolon => "write one expression, like `gen_random_uuid()`",
            SqlErrorKind::Unopened => "remove it, or open it with `(` or `[`",
            SqlErrorKind::Unclosed => "close it with `)` or `]`",
            SqlErrorKind::SeveralExpressions => "keep one of them; a row is written `row(a, b)`",
            SqlErrorKind::NoExpression => "write one, like `gen_random_uuid()`",
        }
    }
}
