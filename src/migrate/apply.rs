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
/// verifies the history against them; `has_history` says whether its table is there.
pub fn apply(
    session: &mut Session,
    files: &[Migration],
    migration: &Migration,
    has_history: bool,
    limits: Limits,
) -> Result<(), Failure> {
    let all: Vec<Refinery> = files
        .iter()
        .map(|file| Refinery::unapplied(&file.stem(), &file.source.text))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Refused(Box::new(Diagnostic::error(error.to_string()))))?;
    let mut one = OneTransaction { session, limits, has_history, failure: None };
    let result = Runner::new(&all)
        .set_grouped(true) // The migration and its history row in one transaction.
        .set_abort_divergent(true)
        .set_abort_missing(true)
        .set_target(Target::Version(migration.version))
        .run(&mut one);
    match (result, one.failure) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some((error, phase))) => match (error.server(), error.class(phase)) {
            (Some(server), Class::Permanent) => {
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
    has_history: bool,
    /// The error and its phase; refinery wraps errors in words of its own.
    failure: Option<(Error, Phase)>,
}

impl OneTransaction<'_> {
    /// Three round trips: begin, the file, and its history row with COMMIT.
    fn run(&mut self, queries: &[&str]) -> Result<usize, (Error, Phase)> {
        let work = |error| (error, Phase::Work);
        let settings = settings(self.limits.migration, self.limits.lock);
        let begin = format!("begin;\n{settings}select pg_current_xact_id()::text");
        let began = self.session.simple(begin, self.limits.statement).map_err(work)?;
        let transaction = began.first().and_then(|row| row[0].clone()).unwrap_or_default();
        let (last, files) = queries.split_last().unwrap_or((&"", &[]));
        for file in files {
            // The file goes out as it is: positions in errors are positions in the file.
            self.session.simple((*file).to_owned(), self.limits.migration).map_err(work)?;
        }
        // Should the file have ended its transaction all the same, nothing behind the check is
        // done. The check also fails in an aborted transaction, whose COMMIT would be answered
        // like a success: see `Session::commit`.
        let end = format!(
            "do $$ begin if pg_current_xact_id_if_assigned()::text is distinct from '{transaction}' then \
               raise exception 'the migration ended the transaction it runs in' using errcode = '25000'; \
             end if; end $$;\n{last};\ncommit; reset role; reset all"
        );
        self.session.simple(end, self.limits.statement).map_err(|error| (error, Phase::Commit))?;
        Ok(queries.len())
    }
}

impl Transaction for OneTransaction<'_> {
    type Error = Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Error> {
        let queries: Vec<&str> = queries.collect();
        self.run(&queries).map_err(|(error, phase)| {
            if error.leaves_session_usable() {
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
        if self.has_history {
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
