//! A session as refinery sees it: every list of queries is one transaction, under the lock.

use std::ops::Range;
use std::time::{Duration, Instant};

use refinery::Migration as Refinery;
use refinery_core::traits::sync::{Migrate, Query, Transaction};

use super::history;
use super::outcome::Applied;
use crate::database::error::{Error, Phase};
use crate::database::lock;
use crate::database::session::{Limits, Session};
use crate::plan::Access;
use crate::project::source::character_offset;
use crate::project::sql::statements::statements;

/// The session, and what it came to.
pub struct OneTransaction<'a> {
    /// The session.
    pub session: &'a mut Session,
    /// The limits of this migration.
    pub limits: Limits,
    /// The schema of the history.
    pub schema: String,
    /// The version whose row is asked for under the lock; none for several at once.
    pub version: Option<i32>,
    /// What became of the migration.
    pub became: Option<Applied>,
    /// The error and its phase; refinery wraps errors in words of its own.
    pub failure: Option<(Error, Phase)>,
    /// The byte of the file that the error is about, if that is known.
    pub at: Option<usize>,
}

impl OneTransaction<'_> {
    /// Begin, the file, and its history row with COMMIT: three round trips for a file of one statement.
    fn run(&mut self, files: &[&str], row: &str) -> Result<(), (Error, Phase)> {
        let work = |error| (error, Phase::Work);
        let lock = lock::in_transaction(&self.schema, self.limits.runner);
        let settings = self.session.settings(self.limits.migration, self.limits.lock);
        // The list of what is pending was made before the lock was there.
        let question = match self.version.filter(|_| self.session.facts.has_history) {
            Some(version) => format!("{};\n", history::question(&self.schema, version)),
            None => String::new(),
        };
        let opening = self.session.opening(Access::Write);
        let begin = format!("{opening}{lock}{settings}{question}select pg_current_xact_id()::text");
        let limit = self.limits.statement.max(self.limits.runner);
        let began = self.session.simple(begin, limit).map_err(work)?;
        // The lock answers with a row, the question with one if the version was applied, then the id.
        if began.len() > 2 {
            self.became = Some(Applied::Before);
            return self.session.rollback().map_err(work);
        }
        let transaction = began.last().and_then(|row| row[0].clone()).unwrap_or_default();
        for file in files {
            self.file(file).map_err(work)?;
        }
        // Should the file have ended its transaction all the same, nothing behind the check is
        // done. The check also fails in an aborted transaction, whose COMMIT would be answered
        // like a success: see `Session::commit`. What the file has set and made for its session goes
        // with it: the row is ours to write, and the next file begins like the first.
        let end = format!(
            "reset session authorization; reset role;
do $$ begin if pg_current_xact_id_if_assigned()::text is distinct from '{transaction}' then \
               raise exception 'the migration ended the transaction it runs in' using errcode = '25000'; \
             end if; end $$;\n{row};\n{}; reset all; discard temp",
            self.session.closing()
        );
        self.session.simple_commit(end, self.limits.statement).map_err(|error| (error, Phase::Commit))?;
        self.became = Some(Applied::Now);
        Ok(())
    }

    /// The file's own statements, as they are written, many in one message. An error that has no position
    /// is found by doing the last message again, a statement at a time, up to the one that fails.
    fn file(&mut self, text: &str) -> Result<(), Error> {
        let statements = statements(text).unwrap_or_default(); // Read by `check` before.
        let mut next = 0;
        let mut size = 1;
        while next < statements.len() {
            let part = &statements[next..statements.len().min(next + size)];
            let range = part[0].start..part[part.len() - 1].end;
            let savepoint = if part.len() > 1 { "savepoint seedbed; " } else { "" };
            if !savepoint.is_empty() {
                self.session.simple(savepoint.to_owned(), self.limits.statement)?;
            }
            let started = Instant::now();
            if let Err(error) = self.session.simple(text[range.clone()].to_owned(), self.limits.migration) {
                self.at = match error.server().map(|server| server.position) {
                    Some(Some(position)) => Some(range.start + character_offset(&text[range], position)),
                    Some(None) if part.len() == 1 => Some(range.start),
                    Some(None) if started.elapsed() < AGAIN_WITHIN => self.find(text, part),
                    _ => None,
                };
                return Err(error);
            }
            next += part.len();
            // What takes long is sent alone, so that it is never done twice.
            size = if started.elapsed() < QUICK { (size * 4).min(STATEMENTS_MAX) } else { 1 };
        }
        Ok(())
    }

    fn find(&mut self, text: &str, part: &[Range<usize>]) -> Option<usize> {
        let limit = self.limits.statement;
        self.session.simple("rollback to savepoint seedbed".to_owned(), limit).ok()?;
        let fails = |statement: &&Range<usize>| {
            self.session.simple(text[(*statement).clone()].to_owned(), self.limits.migration).is_err()
        };
        part.iter().find(fails).map(|statement| statement.start)
    }
}

/// A message that took no longer than this is done again to find the statement that failed.
const AGAIN_WITHIN: Duration = Duration::from_secs(5);
/// A message that took less than this may be followed by a larger one.
const QUICK: Duration = Duration::from_millis(100);
/// The most statements in one message.
const STATEMENTS_MAX: usize = 256;

impl Transaction for OneTransaction<'_> {
    type Error = Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Error> {
        let queries: Vec<&str> = queries.collect();
        let Some((row, files)) = queries.split_last() else { return Ok(0) };
        self.run(files, row).map_err(|(error, phase)| {
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
