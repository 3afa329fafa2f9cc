//! The migrations of a run: what is pending, one at a time.

use std::time::Instant;

use super::{Run, Stop};
use crate::database::error::{Class, Error};
use crate::database::retry::Attempts;
use crate::migrate::apply::apply;
use crate::migrate::history;
use crate::migrate::lint::lint;
use crate::migrate::outcome::{Applied, Failure};
use crate::migrate::state::{State, ahead, compare, faults};
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::Span;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{Migrated, Report};

impl<'a> Run<'a> {
    /// Applies what is pending up to a version. Nothing pending costs one round trip and writes nothing.
    pub(super) fn migrate(&mut self, upto: i32, report: &mut Report) -> Result<(), Stop> {
        let (mut pending, mut applied) = self.pending(upto)?;
        if !pending.is_empty() {
            if let Err(error) = self.connection.writing(self.emit) {
                return Err(self.stop(&error));
            }
            // Whoever held the lock before may have applied them.
            (pending, applied) = self.pending(upto)?;
        }
        report.applied_before = applied;
        (self.emit)(Event::MigrationsBegun { pending: pending.len(), applied });
        // Nobody is at work on a database that was never migrated.
        let is_in_use = |_: &&&Migration| applied > 0;
        let dangers = pending.iter().filter(is_in_use).flat_map(|migration| lint(migration));
        let warnings: Vec<Diagnostic> = self.ahead.take().into_iter().chain(dangers).collect();
        warnings.iter().for_each(|warning| (self.emit)(Event::Warned(warning)));
        for migration in pending {
            (self.emit)(Event::MigrationBegun(&migration.title()));
            let migrated = self.apply(migration);
            self.tell_notices();
            let migrated = migrated?;
            (self.emit)(Event::MigrationApplied(&migrated));
            report.migrations.push(migrated);
        }
        Ok(())
    }

    /// The files up to a version that are to be applied, and how many were.
    fn pending(&mut self, upto: i32) -> Result<(Vec<&'a Migration>, usize), Stop> {
        let limit = self.connection.limits.statement;
        let applied = self.reading("the history", |session| history::read(session, limit))?;
        let applied = applied.unwrap_or_default();
        let files: &'a [Migration] = &self.work.project.migrations;
        let versions = compare(files, &applied);
        let faults = faults(&versions);
        if !faults.is_empty() {
            return Err(Stop { exit: Exit::Migration, diagnostics: faults });
        }
        self.ahead = ahead(&versions);
        let pending = versions.iter().filter(|version| version.state == State::Pending);
        let files = pending.filter_map(|version| version.file).filter(|file| file.version <= upto);
        Ok((files.collect(), applied.len()))
    }

    /// One migration, as often as the connection makes it necessary.
    fn apply(&mut self, migration: &Migration) -> Result<Migrated, Stop> {
        let started = Instant::now();
        let mut attempts = Attempts::begin(self.work.retry);
        let migrated = |attempts: &Attempts, applied: Applied| Migrated {
            title: migration.title(),
            elapsed: started.elapsed(),
            attempts: attempts.made(),
            is_other_s: applied == Applied::Before,
        };
        loop {
            let session = match self.connection.writing(self.emit) {
                Ok(session) => session,
                Err(error) => return Err(self.stop(&error)),
            };
            let (error, phase) = match apply(session, migration) {
                Ok(applied) => return Ok(migrated(&attempts, applied)),
                Err(Failure::Refused(diagnostic)) => {
                    return Err(Stop { exit: Exit::Migration, diagnostics: vec![*diagnostic] });
                }
                Err(Failure::Database(error, phase)) => (error, phase),
            };
            if !error.leaves_session_usable() || error.is_read_only() {
                self.connection.forget();
            }
            match error.class(phase) {
                Class::Transient => {}
                // The history row is in the migration's own transaction: it tells what became of it.
                Class::Ambiguous => {
                    if self.was_applied(migration, &error)? {
                        return Ok(migrated(&attempts, Applied::Now));
                    }
                }
                Class::Permanent if !error.leaves_session_usable() => return Err(self.stop(&error)),
                Class::Permanent => return Err(failed(migration, &error)),
            }
            let Some(delay) = attempts.next_delay() else {
                // Nobody being there is no fault of the migration.
                return Err(match error.leaves_session_usable() {
                    true => failed(migration, &error),
                    false => self.stop(&error),
                });
            };
            self.pause(&migration.title(), &error, attempts.made() - 1, delay)?;
        }
    }

    /// What became of a commit without an answer, as the history has it.
    fn was_applied(&mut self, migration: &Migration, error: &Error) -> Result<bool, Stop> {
        (self.emit)(Event::Settling { title: &migration.title(), reason: error.to_string() });
        let question = |schema: &str| history::question(schema, migration.version);
        self.connection.settle(question, self.emit).map_err(|silence| unknown(migration, error, &silence))
    }
}

fn failed(migration: &Migration, error: &Error) -> Stop {
    let diagnostic = Diagnostic::error(format!("migration {} was not applied: {error}", migration.title()))
        .at(&migration.source, Span::default());
    Stop { exit: Exit::Migration, diagnostics: vec![diagnostic] }
}

/// The history could not be asked.
fn unknown(migration: &Migration, error: &Error, silence: &Error) -> Stop {
    let message = format!("nobody knows whether migration {} was applied", migration.title());
    let diagnostic = Diagnostic::error(message)
        .at(&migration.source, Span::default())
        .note(format!("the connection was lost while it was being committed: {error}"))
        .note(format!("the history would tell, and could not be asked: {silence}"))
        .help("run again: it is safe, the history says then whether it was applied");
    Stop { exit: Exit::Unknown, diagnostics: vec![diagnostic] }
}
