//! A migration that cannot be one transaction: its statements are run one at a time, and the ledger keeps
//! how far it came.
//!
//! Each statement is entered before it runs and marked when it is done. A run that is cut off leaves at
//! most one that was begun: whether that was done is found out, for an index from the catalog, for
//! others from the server's refusal to do it twice.

use std::ops::Range;

use refinery::Target;

use super::index::{self, Index, State};
use super::outcome::{Applied, Failure, located};
use super::record::record;
use crate::database::error::{Error, Phase, ServerError};
use crate::database::ledger::{BEGUN, Statement};
use crate::database::session::{Limits, Session, sqlstate};
use crate::plan::text;
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::{Source, Span, digest, word_length};
use crate::project::sql::statements::{first_words, statements};

/// The first words of statements that write rows.
const ROWS: &[&str] = &["insert", "update", "delete", "merge", "with", "select"];

/// Whether the server refuses a statement because it was done before: it makes what exists, or drops what
/// is gone. The same codes mean another thing of other statements, such as a table that an index needs.
fn was_done(sql: &str, error: &Error) -> bool {
    let words = first_words(sql, 1);
    matches!(
        (words.first().map(String::as_str), sqlstate(error)),
        (Some("create" | "alter"), Some("42P04" | "42P06" | "42P07" | "42710"))
            | (Some("drop"), Some("3D000" | "42P01" | "42704"))
    )
}

/// Runs what is left of the migration, then records it.
pub fn apply(session: &mut Session, migration: &Migration, limits: Limits) -> Result<Applied, Failure> {
    let database = |error: Error| Failure::Database(error, Phase::Work);
    if session.facts.is_pooled {
        return Err(refused(
            migration,
            Span::default(),
            "a migration without a transaction needs a direct connection",
        )
        .map(|problem| problem.help("connect past the pooler: what a session sets would not stay with it")));
    }
    if session.is_rehearsal() {
        let message = "a migration without a transaction cannot be tried in a dry run";
        return Err(refused(migration, Span::default(), message)
            .map(|problem| problem.help("apply it, or try the migrations before it")));
    }
    let ranges = statements(&migration.source.text).unwrap_or_default();
    session.with_ledger().map_err(database)?;
    let schema = session.schema().map_err(database)?;
    set_limits(session, limits).map_err(database)?;
    for (at, range) in ranges.into_iter().enumerate() {
        one(session, migration, at + 1, range, limits, &schema)?;
    }
    session.simple("reset role; reset all".to_owned(), limits.statement).map_err(database)?;
    record(session, migration, limits, Target::Fake)
}

fn set_limits(session: &mut Session, limits: Limits) -> Result<(), Error> {
    let sql = format!(
        "set statement_timeout = {}; set lock_timeout = {}",
        limits.migration.as_millis(),
        limits.lock.as_millis()
    );
    session.simple(sql, limits.statement).map(drop)
}

fn one(
    session: &mut Session,
    migration: &Migration,
    number: usize,
    range: Range<usize>,
    limits: Limits,
    schema: &str,
) -> Result<(), Failure> {
    let database = |error: Error| Failure::Database(error, Phase::Work);
    let sql = &migration.source.text[range.clone()];
    let stem = migration.stem();
    let words = first_words(sql, 6).join(" ");
    let content = digest([&*Source::new("", sql)]);
    let entry = Statement { migration: &stem, number, title: &words, content };
    let known = session.simple(entry.question(schema), limits.statement).map_err(database)?;
    let was_begun = match known.first() {
        Some(row) if text(row, 1) != entry.content => {
            let problem = "this statement has changed since an earlier run has run it";
            let help = "restore it, and write the change as a new migration";
            return Err(refused(migration, span(migration, &range), problem).map(|it| it.help(help)));
        }
        Some(row) if text(row, 0) != BEGUN => {
            // What it set is gone with the session that it was set in.
            if words.starts_with("set ") || words.starts_with("reset ") {
                session.simple(sql.to_owned(), limits.migration).map_err(database)?;
            }
            return Ok(());
        }
        known => known.is_some(),
    };
    let index = match Index::of(sql) {
        Some(Index { name: None, .. }) => {
            let problem = "an index that is built concurrently needs a name";
            let help = "without one nobody could tell whether a build that was cut off is done";
            return Err(refused(migration, span(migration, &range), problem).map(|it| it.help(help)));
        }
        other => other,
    };
    if was_begun && let Some(index) = &index {
        match index.state(session, limits).map_err(database)? {
            State::Valid => return mark(session, &entry, schema, true, limits).map_err(database),
            State::Invalid(found) => index::drop(session, &found, limits).map_err(database)?,
            State::Absent => {}
        }
    }
    let begin = entry.begin(schema, &session.host);
    session.simple(begin, limits.statement).map_err(database)?;
    // Rows are written together with the mark: nobody could tell afterwards whether they were.
    let is_of_rows = ROWS.iter().any(|word| words == *word || words.starts_with(&format!("{word} ")));
    if is_of_rows {
        session.simple("begin".to_owned(), limits.statement).map_err(database)?;
    }
    match session.simple(sql.to_owned(), limits.migration) {
        Ok(_) => {
            mark(session, &entry, schema, true, limits).map_err(database)?;
            match is_of_rows {
                true => session.simple("commit".to_owned(), limits.statement).map(drop).map_err(database),
                false => Ok(()),
            }
        }
        Err(error) if was_begun && was_done(sql, &error) => {
            mark(session, &entry, schema, true, limits).map_err(database)
        }
        Err(error) => {
            let Some(server) = error.server().filter(|_| error.leaves_session_usable()).cloned() else {
                return Err(database(error));
            };
            if is_of_rows {
                session.simple("rollback".to_owned(), limits.statement).map_err(database)?;
            }
            // What a failed build leaves would be kept up to date with every write, for nobody.
            if let Some(index) = &index
                && let State::Invalid(found) = index.state(session, limits).map_err(database)?
            {
                index::drop(session, &found, limits).map_err(database)?;
            }
            mark(session, &entry, schema, false, limits).map_err(database)?;
            Err(failed(&server, migration, range, number, error))
        }
    }
}

fn mark(
    session: &mut Session,
    entry: &Statement,
    schema: &str,
    is_done: bool,
    limits: Limits,
) -> Result<(), Error> {
    session.simple(entry.end(schema, is_done), limits.statement).map(drop)
}

/// A lock that was not to be had and a deadlock are tried again; everything else is the migration's fault.
fn failed(
    server: &ServerError,
    migration: &Migration,
    range: Range<usize>,
    number: usize,
    error: Error,
) -> Failure {
    if matches!(server.sqlstate.as_str(), "55P03" | "40P01") {
        return Failure::Database(error, Phase::Work);
    }
    let start = server.position.map_or(range.start, |position| {
        range.start
            + crate::project::source::character_offset(&migration.source.text[range.clone()], position)
    });
    let before = match number - 1 {
        0 => "nothing of it was done".to_owned(),
        1 => "the statement before this one is done".to_owned(),
        done => format!("the {done} statements before this one are done"),
    };
    Failure::Refused(Box::new(located(server, migration, Some(start)).note(format!(
        "migration {} runs without a transaction: {before}, and the next run goes on from here",
        migration.title()
    ))))
}

fn span(migration: &Migration, range: &Range<usize>) -> Span {
    Span::new(range.start, range.start + word_length(&migration.source.text[range.clone()]))
}

fn refused(migration: &Migration, span: Span, message: &str) -> Failure {
    Failure::Refused(Box::new(Diagnostic::error(message).at(&migration.source, span)))
}

impl Failure {
    fn map(self, change: impl FnOnce(Diagnostic) -> Diagnostic) -> Failure {
        match self {
            Failure::Refused(problem) => Failure::Refused(Box::new(change(*problem))),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_means_done_before_only_where_the_statement_would_have_done_it() {
        let check = |sql: &str, state: &str, expected: bool| {
            let server = ServerError { sqlstate: state.to_owned(), ..ServerError::default() };
            assert_eq!(was_done(sql, &Error::Server(Box::new(server))), expected, "{sql} {state}");
        };
        check("create database d", "42P04", true);
        check("alter type e add value 'x'", "42710", true);
        check("drop index concurrently i", "42704", true);
        check("drop table t", "42P01", true);
        check("create index concurrently on missing (a)", "42P01", false);
        check("vacuum missing", "42P01", false);
        check("drop index i", "42P07", false);
    }
}
