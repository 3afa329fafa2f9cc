//! Applies pending migrations, each in one transaction with its history row.

use refinery::{Migration as Refinery, Runner, Target};
use refinery_core::traits::sync::{Migrate, Query, Transaction};

use super::history;
use crate::database::error::{Class, Error, Phase, ServerError};
use crate::database::session::{Limits, Session, settings};
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::{Span, character_offset, word_length};
use crate::project::sql::statements::statements;

/// Why a migration was not applied.
#[derive(Debug)]
pub enum Failure {
    /// The connection or server failed in this phase; `class` says what to do.
    Database(Error, Phase),
    /// The migration or the history is at fault.
    Refused(Box<Diagnostic>),
}

/// Lets refinery apply one pending migration. `files` are all of the project's, because refinery
/// verifies the history against them.
pub fn apply(
    session: &mut Session,
    files: &[Migration],
    migration: &Migration,
    limits: Limits,
) -> Result<(), Failure> {
    let all: Vec<Refinery> = files
        .iter()
        .map(|file| Refinery::unapplied(&file.stem(), &file.source.text))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Refused(Box::new(Diagnostic::error(error.to_string()))))?;
    let mut one = OneTransaction { session, limits, failure: None };
    let result = Runner::new(&all)
        .set_grouped(true) // The migration and its history row in one transaction.
        .set_abort_divergent(true)
        .set_abort_missing(true)
        .set_target(Target::Version(migration.version))
        .run(&mut one);
    match (result, one.failure) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some((error, phase))) => match (error.server(), error.class(phase)) {
            (Some(server), Class::Permanent) if phase == Phase::Work => {
                let start = match server.position {
                    Some(position) => Some(character_offset(&migration.source.text, position)),
                    None => failing_statement(session, migration, limits),
                };
                Err(Failure::Refused(Box::new(located(server, migration, start))))
            }
            _ => Err(Failure::Database(error, phase)),
        },
        (Err(error), None) => Err(Failure::Refused(Box::new(
            Diagnostic::error(error.to_string()).at(&migration.source, Span::default()),
        ))),
    }
}

/// A session as refinery sees it: every list of queries is one transaction.
struct OneTransaction<'a> {
    session: &'a mut Session,
    limits: Limits,
    /// The error and its phase; refinery wraps errors in words of its own.
    failure: Option<(Error, Phase)>,
}

impl OneTransaction<'_> {
    fn run(&mut self, queries: &[&str]) -> Result<usize, (Error, Phase)> {
        let work = |error| (error, Phase::Work);
        let settings = settings(self.limits.migration, self.limits.lock);
        let begin = format!("begin;\n{settings}select pg_current_xact_id()::text");
        let began = self.session.simple(begin, self.limits.statement).map_err(work)?;
        for query in queries {
            // The file goes out as it is: positions in errors are positions in the file.
            self.session.simple((*query).to_owned(), self.limits.migration).map_err(work)?;
        }
        let probe = "select pg_current_xact_id_if_assigned()::text".to_owned();
        let ended = self.session.simple(probe, self.limits.statement).map_err(work)?;
        if began != ended {
            return Err((
                Error::Lost {
                    reason: "the migration ended the transaction it runs in; remove its COMMIT or ROLLBACK"
                        .to_owned(),
                    is_transient: false,
                },
                Phase::Work,
            ));
        }
        // A SELECT before COMMIT in the same message: see `Session::commit`.
        let commit = "select 1; commit; reset role; reset all".to_owned();
        self.session.simple(commit, self.limits.statement).map_err(|error| (error, Phase::Commit))?;
        Ok(queries.len())
    }
}

impl Transaction for OneTransaction<'_> {
    type Error = Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Error> {
        let queries: Vec<&str> = queries.collect();
        self.run(&queries).map_err(|(error, phase)| {
            if phase == Phase::Work && error.leaves_session_usable() {
                let _ = self.session.rollback();
            }
            self.failure = Some((error.clone(), phase));
            error
        })
    }
}

impl Query<Vec<Refinery>> for OneTransaction<'_> {
    /// refinery asks for the applied migrations. Its own reader panics on a damaged row; such rows
    /// were refused before this is called, and one that changed since is skipped here and then
    /// missed by refinery's own verification.
    fn query(&mut self, _: &str) -> Result<Vec<Refinery>, Error> {
        let rows = history::read(self.session, self.limits.statement).inspect_err(|error| {
            self.failure = Some((error.clone(), Phase::Work));
        })?;
        let rows = rows.unwrap_or_default().into_iter();
        Ok(rows
            .filter_map(|row| {
                let version = i32::try_from(row.version).ok()?;
                let checksum = row.checksum?.parse().ok()?;
                Some(Refinery::applied(version, row.name?, time::OffsetDateTime::UNIX_EPOCH, checksum))
            })
            .collect())
    }
}

impl Migrate for OneTransaction<'_> {
    /// Never creates what is there: `create table if not exists` needs rights that a role which
    /// only adds to a history does not have.
    fn assert_migrations_table(&mut self, table: &str) -> Result<usize, refinery::Error> {
        use refinery_core::error::WrapMigrationError;
        let is_there = history::read(self.session, self.limits.statement);
        if matches!(is_there, Ok(Some(_))) {
            return Ok(0);
        }
        let create = Self::assert_migrations_table_query(table);
        self.execute([create.as_str()].into_iter()).migration_err("error asserting migrations table", None)
    }
}

/// Many errors of DDL carry no position. The statement is found by running them one at a time, in a
/// transaction that is rolled back whatever happens.
fn failing_statement(session: &mut Session, migration: &Migration, limits: Limits) -> Option<usize> {
    let text = &migration.source.text;
    let begin = format!("begin;\n{}", settings(limits.migration, limits.lock));
    session.simple(begin, limits.statement).ok()?;
    let statements = statements(text).ok()?;
    let fails = |statement: &&std::ops::Range<usize>| {
        session.simple(text[(*statement).clone()].to_owned(), limits.migration).is_err()
    };
    let failing = statements.iter().find(fails).map(|statement| statement.start);
    session.rollback().ok()?;
    failing
}

/// The server's error at its place in the migration's file.
fn located(server: &ServerError, migration: &Migration, start: Option<usize>) -> Diagnostic {
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
    diagnostic
        .note(format!("migration {} was rolled back", migration.title()))
        .maybe_help(server.hint.clone())
}
