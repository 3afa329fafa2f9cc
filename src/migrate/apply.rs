//! Applies pending migrations, each in one transaction with its history row.

use refinery::{Migration as Refinery, Runner, Target};

use super::stepwise;
use super::transaction::OneTransaction;
use crate::database::error::{Class, Error, Phase, ServerError};
use crate::database::facts::HISTORY;
use crate::database::session::{Limits, Session};
use crate::plan::quote::qualified;
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

/// Lets refinery apply one pending migration. It sees no other, and no history: what does not fit was
/// refused before, by `state`, and whether this one is still pending is asked under the lock.
pub fn apply(session: &mut Session, migration: &Migration) -> Result<Applied, Failure> {
    let limits = limits(session, migration);
    if migration.directives.no_transaction {
        return stepwise::apply(session, migration, limits);
    }
    record(session, migration, limits, Target::Latest)
}

/// The limits of a session, with those that the migration itself sets.
fn limits(session: &Session, migration: &Migration) -> Limits {
    let own = migration.directives;
    Limits {
        migration: own.statement_timeout.unwrap_or(session.limits.migration),
        lock: own.lock_timeout.unwrap_or(session.limits.lock),
        ..session.limits
    }
}

/// Lets refinery run a migration and write its row, or with [`Target::Fake`] only write the row.
pub fn record(
    session: &mut Session,
    migration: &Migration,
    limits: Limits,
    target: Target,
) -> Result<Applied, Failure> {
    let file = Refinery::unapplied(&migration.stem(), &migration.source.text)
        .map_err(|error| Failure::Refused(Box::new(Diagnostic::error(error.to_string()))))?;
    let schema = session.schema().map_err(|error| Failure::Database(error, Phase::Work))?;
    let table = qualified(&schema, HISTORY);
    let version = Some(migration.version);
    let mut one = OneTransaction { session, limits, schema, version, became: None, failure: None, at: None };
    // Grouped: the migration and its history row in one transaction.
    let mut runner = Runner::new(std::slice::from_ref(&file)).set_grouped(true).set_target(target);
    runner.set_migration_table_name(table);
    let result = runner.run(&mut one);
    let (became, failure, at) = (one.became, one.failure, one.at);
    match (result, failure) {
        (Ok(_), _) => Ok(became.unwrap_or(Applied::Before)),
        (Err(_), Some((error, phase))) => match (error.server(), error.class(phase)) {
            (Some(server), Class::Permanent)
                if phase == Phase::Work && at.is_none() && server.position.is_some() =>
            {
                // Of our own beginning, before the file.
                Err(Failure::Database(error, phase))
            }
            (Some(server), Class::Permanent) => {
                let when = if phase == Phase::Commit { ", when it was committed" } else { "" };
                let note = format!("migration {} was rolled back{when}", migration.title());
                Err(Failure::Refused(Box::new(located(server, migration, at).note(note))))
            }
            _ => Err(Failure::Database(error, phase)),
        },
        (Err(error), None) => Err(Failure::Refused(Box::new(
            Diagnostic::error(error.to_string()).at(&migration.source, Span::default()),
        ))),
    }
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
