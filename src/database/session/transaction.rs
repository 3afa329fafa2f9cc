//! The transactions of a session: how each begins, and the ways it may end.

use std::time::Duration;

use super::wait::Hurry;
use super::{Session, simple, written};
use crate::database::describe;
use crate::database::error::Error;
use crate::plan::wrote::{Written, Wrote};
use crate::plan::{Access, Answer, Reach};

/// Checks what a commit would check, puts the constraints back to how they begin, and goes on.
const CLOSE_REHEARSED: &str = "set constraints all immediate;
do $$ declare names text; begin
  select string_agg(distinct format('%I.%I', n.nspname, c.conname), ', ') into names
  from pg_catalog.pg_constraint c join pg_catalog.pg_namespace n on n.oid = c.connamespace where c.condeferred;
  if names is not null then execute 'set constraints ' || names || ' deferred'; end if;
end $$;
release savepoint seedbed_step";

impl Session {
    /// What begins a transaction.
    pub fn opening(&self, access: Access) -> &'static str {
        match (self.is_rehearsal, access) {
            // It is undone with the savepoint.
            (true, Access::Read) => "savepoint seedbed_step; set transaction read only;\n",
            (true, Access::Write) => "savepoint seedbed_step;\n",
            (false, Access::Read) => "begin isolation level read committed read only;\n",
            (false, Access::Write) => "begin isolation level read committed read write;\n",
        }
    }

    /// What ends it, and keeps what it did.
    pub fn closing(&self) -> &'static str {
        match self.is_rehearsal {
            // What a commit would check is checked here.
            true => CLOSE_REHEARSED,
            false => "commit",
        }
    }

    /// What ends it, and keeps nothing.
    pub fn undoing(&self) -> &'static str {
        match self.is_rehearsal {
            true => "rollback to savepoint seedbed_step; release savepoint seedbed_step",
            false => "rollback",
        }
    }

    /// Begins a transaction, with everything pinned that changes how text is read or written. `first` is
    /// what it does before that, like taking a lock, and `last` what it does behind it; what comes back is
    /// the answer to both.
    ///
    /// A begin that has nothing to answer is due: it goes out when the next message does, so that the
    /// client's thread is not woken for it alone.
    pub fn begin(&mut self, access: Access, first: &str, last: &str) -> Result<Answer, Error> {
        let count = match access {
            // What earlier transactions of this session wrote may still be counted: it is taken off.
            Access::Write if self.has_written => written::count("true"),
            Access::Read | Access::Write => String::new(),
        };
        let settings = self.settings(self.limits.statement, self.limits.lock);
        self.begun = format!("{}{first}{settings}{count}{last}", self.opening(access));
        self.begun_access = access;
        self.before.clear();
        self.files.clear();
        self.is_begin_due = true;
        if count.is_empty() && last.is_empty() {
            return Ok(Answer::new());
        }
        let limit = self.limit();
        let answer = self.simple(String::new(), limit)?;
        self.before = written::read(&answer);
        self.files = written::files(&answer);
        Ok(answer)
    }

    /// The limit of a statement together with what is due before it: a begin that takes a lock may have
    /// to wait for another runner.
    pub(super) fn limit(&self) -> Duration {
        let limit = self.limits.statement;
        let waits = self.is_begin_due && self.begun_access == Access::Write;
        if waits && !limit.is_zero() { limit + self.limits.runner } else { limit }
    }

    /// What has to be sent before the next statement, if anything.
    pub(super) fn due(&mut self) -> Option<String> {
        let end = std::mem::take(&mut self.is_left).then(|| format!("{};\n", self.undoing()));
        let begin = std::mem::take(&mut self.is_begin_due).then_some(&*self.begun);
        (end.is_some() || begin.is_some()).then(|| end.unwrap_or_default() + begin.unwrap_or_default())
    }

    /// The settings every transaction pins, and its limits: the time of one statement, and the time it
    /// may wait for a lock.
    pub fn settings(&self, statement: Duration, lock: Duration) -> String {
        settings(statement, lock, self.facts.version)
    }

    /// Notes that the transaction may have written something. The server goes on counting it for a while,
    /// also when it is rolled back.
    pub fn note_written(&mut self) {
        self.has_written |= self.begun_access == Access::Write;
    }

    /// Leaves a transaction that kept nothing worth keeping: the next message rolls it back, which
    /// saves a round trip. If none comes, the end of the session does.
    pub fn leave(&mut self) {
        self.is_left = true;
    }

    /// Sets a savepoint in a transaction that writes.
    pub fn mark(&mut self, savepoint: &str) -> Result<(), Error> {
        let sql = format!("savepoint {savepoint};\n{}", written::count("true"));
        let answer = self.simple(sql, self.limits.statement)?;
        self.marked = written::read(&answer);
        Ok(())
    }

    /// Goes back to the savepoint that was set last. The server goes on counting what is undone, so that is
    /// taken off.
    pub fn undo(&mut self, savepoint: &str) -> Result<(), Error> {
        let sql = format!("rollback to savepoint {savepoint};\n{}", written::count("true"));
        let answer = self.simple(sql, self.limits.statement)?;
        let undone = written::since(written::read(&answer), &std::mem::take(&mut self.marked));
        written::add(&mut self.before, undone);
        Ok(())
    }

    /// What is asked behind the beginning of a transaction of which [`Session::everything_written`] is asked
    /// later.
    pub fn watching(&self) -> &'static str {
        written::FILES
    }

    /// The same in a transaction that has begun.
    pub fn watch(&mut self) -> Result<(), Error> {
        let sql = format!("{}\n{}", written::count("true"), written::FILES);
        let answer = self.simple(sql, self.limits.statement)?;
        self.before = written::read(&answer);
        self.files = written::files(&answer);
        Ok(())
    }

    /// What lets all statements of a transaction that only reads see the same; it comes first. Where all of
    /// the run is one transaction, nothing can.
    pub fn repeatable(&self) -> String {
        match self.is_rehearsal {
            true => String::new(),
            false => "set transaction isolation level repeatable read;\n".to_owned(),
        }
    }

    /// Lets deferred triggers do their work, and says what the transaction has written. It has begun with
    /// [`Session::watching`].
    pub fn everything_written(&mut self) -> Result<Written, Error> {
        let limit = self.limits.statement;
        self.note_written();
        let answer = self.simple(written::everything(), limit)?;
        Ok(written::read_everything(&answer, &self.before, &self.files))
    }

    /// Commits in one round trip, and says what the transaction wrote. `last` is what it does before
    /// that, like entering itself in the ledger.
    ///
    /// The count comes before COMMIT in the same message on purpose. COMMIT of an aborted
    /// transaction is answered like a success (rust-postgres#1334), but a SELECT in one fails, and
    /// COMMIT is then not reached.
    pub fn commit(&mut self, access: Access, last: &str) -> Result<Vec<Wrote>, Error> {
        let count = match access {
            Access::Write => written::count(written::HAS_WRITTEN),
            Access::Read => "select 1;".to_owned(),
        };
        let due = self.due().unwrap_or_default();
        let sql = format!("{due}{last}{count}\n{}", self.closing());
        let after = written::read(&self.call(self.limits.statement, Hurry::Never, simple(sql))?);
        self.has_written |= !after.is_empty();
        Ok(written::since(after, &std::mem::take(&mut self.before)))
    }

    /// Puts back what the author's own statements may have set for the session, in the transaction that they
    /// ran in: the next one begins like the first.
    pub fn restoring(&self) -> String {
        let settings = self.settings(self.limits.statement, self.limits.lock);
        format!("reset session authorization;\nreset role;\nreset all;\ndiscard temp;\n{settings}")
    }

    /// Raises an error when the transaction has deleted more rows than this, cascades included.
    pub fn deleted_at_most(&self, most: u64) -> String {
        written::deleted_at_most(&self.before, most)
    }

    /// Raises an error when the transaction has changed or deleted more than the step itself did.
    pub fn nothing_else(&self, reach: &[Reach]) -> String {
        written::nothing_else(&self.before, reach)
    }

    /// Rolls back in one round trip.
    pub fn rollback(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.is_begin_due) {
            return Ok(()); // Nothing has begun. What was left ends with the next message, as ever.
        }
        self.is_left = false;
        self.note_written();
        let limit = self.limits.statement;
        self.call(limit, Hurry::Soon, simple(self.end().to_owned())).map(drop)
    }

    pub(super) fn end(&self) -> &'static str {
        if self.is_spent && !self.is_rehearsal { describe::END } else { self.undoing() }
    }
}

/// The same file means the same rows on every machine. The settings are local to the transaction, so
/// that they hold behind a pooler and leak nowhere.
fn settings(statement: Duration, lock: Duration, version: u32) -> String {
    // Since PostgreSQL 14 a statement can end when its client is gone, instead of running on.
    let is_checked =
        if version >= 140_000 { " set local client_connection_check_interval = 5000;" } else { "" };
    format!(
        "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
set local bytea_output = 'hex'; set local extra_float_digits = 1; set local standard_conforming_strings = on;
set local statement_timeout = {}; set local lock_timeout = {}; set local idle_in_transaction_session_timeout = 60000;{is_checked}\n",
        statement.as_millis(),
        lock.as_millis(),
    )
}
