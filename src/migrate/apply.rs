//! Applies pending migrations, each in one transaction with its history row.

use refinery::{Migration as Refinery, Runner};
use refinery_core::traits::sync::{Migrate, Query, Transaction};

use super::history;
use crate::database::error::{Class, Error, Phase, ServerError};
use crate::database::lock;
use crate::database::session::{Limits, Session};
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
pub fn apply(session: &mut Session, migration: &Migration, limits: Limits) -> Result<Applied, Failure> {
    let file = Refinery::unapplied(&migration.stem(), &migration.source.text)
        .map_err(|error| Failure::Refused(Box::new(Diagnostic::error(error.to_string()))))?;
    let work = |error| Failure::Database(error, Phase::Work);
    let schema = session.schema().map_err(work)?;
    let table = history::table(session).map_err(work)?;
    let version = migration.version;
    let mut one = OneTransaction { session, limits, schema, version, became: None, failure: None };
    // Grouped: the migration and its history row in one transaction.
    let mut runner = Runner::new(std::slice::from_ref(&file)).set_grouped(true);
    runner.set_migration_table_name(table);
    match (runner.run(&mut one), one.failure) {
        (Ok(_), _) => Ok(one.became.unwrap_or(Applied::Before)),
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

/// A session as refinery sees it: every list of queries is one transaction, under the lock.
struct OneTransaction<'a> {
    session: &'a mut Session,
    limits: Limits,
    schema: String,
    version: i32,
    became: Option<Applied>,
    /// The error and its phase; refinery wraps errors in words of its own.
    failure: Option<(Error, Phase)>,
}

impl OneTransaction<'_> {
    /// Three round trips: begin, the file, and its history row with COMMIT.
    fn run(&mut self, files: &[&str], last: &str) -> Result<(), (Error, Phase)> {
        let work = |error| (error, Phase::Work);
        let lock = lock::in_transaction(&self.schema, self.limits.runner);
        let settings = self.session.settings(self.limits.migration);
        // The list of what is pending was made before the lock was there.
        let question = match files {
            [] => String::new(),
            _ => format!("{};\n", history::question(&self.schema, self.version)),
        };
        let begin = format!("begin;\n{lock}{settings}{question}select pg_current_xact_id()::text");
        let limit = self.limits.statement.max(self.limits.runner);
        let began = self.session.simple(begin, limit).map_err(work)?;
        // The lock answers with a row, the question with one if the version was applied, then the id.
        if began.len() > 2 {
            self.became = Some(Applied::Before);
            return self.session.rollback().map_err(work);
        }
        let transaction = began.last().and_then(|row| row[0].clone()).unwrap_or_default();
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
        self.session.simple_commit(end, self.limits.statement).map_err(|error| (error, Phase::Commit))?;
        if !files.is_empty() {
            self.became = Some(Applied::Now);
        }
        Ok(())
    }
}

impl Transaction for OneTransaction<'_> {
    type Error = Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Error> {
        let queries: Vec<&str> = queries.collect();
        let Some((last, files)) = queries.split_last() else { return Ok(0) };
        self.run(files, last).map_err(|(error, phase)| {
            if error.leaves_session_usable() {
                let _ = self.session.rollback();
            }
            self.failure = Some((error.clone(), phase));
            error
        })?;
        Ok(queries.len())
    }
}

impl Query<Vec<Refinery>> for OneTransaction<'_> {
    /// refinery asks for the applied migrations, to find what is pending. That is known already.
    fn query(&mut self, _: &str) -> Result<Vec<Refinery>, Error> {
        Ok(Vec::new())
    }
}

impl Migrate for OneTransaction<'_> {
    /// Never creates what is there: `create table if not exists` needs rights that a role which
    /// only adds to a history does not have.
    fn assert_migrations_table(&mut self, table: &str) -> Result<usize, refinery::Error> {
        use refinery_core::error::WrapMigrationError;
        if self.session.facts.has_history {
            return Ok(0);
        }
        let create = Self::assert_migrations_table_query(table);
        let created = self
            .execute([create.as_str()].into_iter())
            .migration_err("error asserting migrations table", None)?;
        self.session.facts.has_history = true;
        Ok(created)
    }
}

/// Many errors of DDL carry no position. The statement is found by running them one at a time, in a
/// transaction that is rolled back whatever happens.
fn failing_statement(session: &mut Session, migration: &Migration, limits: Limits) -> Option<usize> {
    let text = &migration.source.text;
    let begin = format!("begin;\n{}", session.settings(limits.migration));
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
