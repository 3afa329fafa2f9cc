//! How a migration ends.

use crate::database::error::{Error, Phase, ServerError};
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::{Span, word_length};

/// Why a migration was not applied.
#[derive(Debug)]
pub enum Failure {
    /// The connection or server failed in this phase; `class` says what to do.
    Database(Error, Phase),
    /// The migration or the history is at fault.
    Refused(Box<Diagnostic>),
}

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was applied now.
    Now,
    /// Another runner had applied it when its turn came.
    Before,
}

/// The server's error at its place in the migration's file.
pub fn located(server: &ServerError, migration: &Migration, start: Option<usize>) -> Diagnostic {
    let text = &migration.source.text;
    let mut diagnostic = Diagnostic::error(format!("{} ({})", server.message, server.sqlstate));
    let span = start.map_or(Span::default(), |start| Span::new(start, start + word_length(&text[start..])));
    diagnostic = diagnostic.at(&migration.source, span);
    if let Some((query, _)) = &server.internal {
        diagnostic = diagnostic.note(format!("in a function, at: {query}"));
    }
    if let Some(detail) = &server.detail {
        diagnostic = diagnostic.note(detail.clone());
    }
    if let Some(context) = &server.context {
        diagnostic = diagnostic.note(context.clone());
    }
    diagnostic.maybe_help(server.hint.clone())
}
