//! The migrations of a run: what is pending, one at a time.

use std::time::Instant;

use super::{Stop, Work, pause, reading, unreachable};
use crate::database::connection::Connection;
use crate::database::error::{Class, Error};
use crate::database::retry::Attempts;
use crate::migrate::apply::{Failure, apply};
use crate::migrate::history;
use crate::migrate::state::{State, compare, faults};
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::Span;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{Migrated, Report};

/// Applies what is pending. Nothing pending costs one round trip and writes nothing.
pub fn run(
    work: &Work,
    connection: &mut Connection,
    report: &mut Report,
    emit: &mut dyn FnMut(Event),
) -> Result<(), Stop> {
    let files = &work.project.migrations;
    let limit = connection.limits.statement;
    let history = reading(work, connection, emit, |session| history::read(session, limit))?;
    let mut has_history = history.is_some();
    let applied = history.unwrap_or_default();
    let versions = compare(files, &applied);
    let faults = faults(&versions);
    if !faults.is_empty() {
        return Err(Stop { exit: Exit::Migration, diagnostics: faults });
    }
    let pending: Vec<&Migration> = versions
        .iter()
        .filter(|version| version.state == State::Pending)
        .filter_map(|version| version.file)
        .collect();
    report.applied_before = applied.len();
    emit(Event::MigrationsBegun { pending: pending.len(), applied: applied.len() });
    for migration in pending {
        let title = migration.title();
        emit(Event::MigrationBegun(&title));
        let migrated = one(work, connection, migration, title, &mut has_history, emit)?;
        emit(Event::MigrationApplied(&migrated));
        report.migrations.push(migrated);
    }
    Ok(())
}

fn one(
    work: &Work,
    connection: &mut Connection,
    migration: &Migration,
    title: String,
    has_history: &mut bool,
    emit: &mut dyn FnMut(Event),
) -> Result<Migrated, Stop> {
    let started = Instant::now();
    let mut attempts = Attempts::begin(work.retry);
    loop {
        let limits = connection.limits;
        let session = match connection.session(emit) {
            Ok(session) => session,
            Err(error) => return Err(unreachable(connection, &error)),
        };
        let (error, phase) = match apply(session, &work.project.migrations, migration, *has_history, limits) {
            Ok(()) => {
                *has_history = true;
                return Ok(Migrated { title, elapsed: started.elapsed(), attempts: attempts.made() });
            }
            Err(Failure::Refused(diagnostic)) => {
                return Err(Stop { exit: Exit::Migration, diagnostics: vec![*diagnostic] });
            }
            Err(Failure::Database(error, phase)) => (error, phase),
        };
        if !error.leaves_session_usable() {
            connection.forget();
        }
        match error.class(phase) {
            Class::Transient => {}
            // The history row is in the migration's own transaction: it tells what became of it.
            Class::Ambiguous => {
                let limit = connection.limits.statement;
                let rows = reading(work, connection, emit, |session| history::read(session, limit))?;
                let is_applied = |row: &history::Applied| row.version == i64::from(migration.version);
                if rows.iter().flatten().any(is_applied) {
                    return Ok(Migrated { title, elapsed: started.elapsed(), attempts: attempts.made() });
                }
                return Err(unknown(migration, &error));
            }
            Class::Permanent => return Err(failed(migration, &error)),
        }
        let Some(delay) = attempts.next_delay() else { return Err(failed(migration, &error)) };
        pause(&title, &error, attempts.made() - 1, delay, emit);
    }
}

fn failed(migration: &Migration, error: &Error) -> Stop {
    let diagnostic = Diagnostic::error(format!("migration {} was not applied: {error}", migration.title()))
        .at(&migration.source, Span::default());
    Stop { exit: Exit::Migration, diagnostics: vec![diagnostic] }
}

/// The history shows no row, yet the old server process may still be committing.
fn unknown(migration: &Migration, error: &Error) -> Stop {
    let diagnostic = Diagnostic::error(format!(
        "nobody knows whether migration {} was applied",
        migration.title()
    ))
    .at(&migration.source, Span::default())
    .note(format!("the connection was lost while it was being committed: {error}"))
    .help("run again: the history says then whether it was applied, and it is applied only if it was not");
    Stop { exit: Exit::Unknown, diagnostics: vec![diagnostic] }
}
