//! `sql`: runs statements as they are, for what no other kind says.
//!
//! ```yaml
//! - sql: The counts are brought up to date
//!   statements: |
//!     update headcount set people = 0 where department = :department;
//!     select refresh_headcount(:department);
//!   with: {department: Human Resources}      # bound as parameters, never pasted
//! ```
//!
//! The statements are sent one by one in the step's one transaction, and what they return is not looked
//! at. Outcome: `done`. What begins or ends a transaction, or cannot run in one, is refused before the
//! first step; what hides in a function is refused by the server. What they set for the session ends with
//! the step.

use std::ops::Range;
use std::sync::Arc;

use super::assert::bind;
use super::script::{Part, Script};
use super::{Action, Head, Kind, Outcome};
use crate::project::instruction::Purpose;
use crate::project::reading::Reading;
use crate::project::source::{Name, Span};
use crate::project::sql::SqlError;
use crate::project::sql::parameters::parameters;
use crate::project::sql::psql;
use crate::project::sql::statements::{Peculiarity, first_words, peculiarity, statements};
use crate::project::value::check_cell_for;
use crate::project::yaml::Entry;

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "sql",
    keys: &["statements", "with"],
    outcomes: &[Outcome::Done],
    accepted: &[Outcome::Done],
    parse,
};

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut text, mut with) = (None, Vec::new());
    for entry in entries {
        match entry.key.as_str() {
            "statements" => text = Some(reading.passage(entry.value, "`statements`")),
            "with" => {
                with = reading.map(entry.value, "`with`")?;
                for parameter in &with {
                    check_cell_for(Purpose::Compare, reading, &parameter.key, &parameter.value);
                }
            }
            _ => reading.unknown_key(&entry, "a `sql` step", KIND.keys),
        }
    }
    if text.is_none() {
        reading.problem_help(span, "this step runs nothing", "write the SQL: `statements: |`");
    }
    let text = text??;
    let ranges = understand(reading, &text)?;
    let whole = parameters(&text.text).map_err(|error| note(reading, &text, &error)).ok()?;
    let with = bind(reading, &text, &whole, with)?;
    let part = |range: Range<usize>| {
        let sql = parameters(&text.text[range.clone()]).ok()?; // What is wrong with it was noted of the whole.
        let values = sql.parameters.iter().map(|it| with.iter().find(|entry| entry.key == it.name).cloned());
        Some(Part { start: range.start, with: values.collect::<Option<_>>()?, sql })
    };
    let parts = ranges.into_iter().map(part).collect::<Option<_>>()?;
    Some(Box::new(Arc::new(Script { text, parts, outcome: Outcome::Done })))
}

/// The statements of a text, if all of them may be parts of a transaction.
fn understand(reading: &mut Reading, text: &Name) -> Option<Vec<Range<usize>>> {
    let source = reading.source.clone();
    let at = |offset: usize| source.within(text.span, &text.text, offset);
    if let Some(command) = psql::commands(&text.text).first() {
        let help = "remove it: the server knows SQL alone";
        let span = at(command.start as usize);
        reading.problem_help(span, "this is a command of psql, not SQL", help);
        return None;
    }
    let ranges = statements(&text.text).map_err(|error| note(reading, text, &error)).ok()?;
    if ranges.is_empty() {
        reading.problem_help(text.span, "there is no statement here", "write one, or leave the step out");
        return None;
    }
    let mut is_fine = true;
    for range in &ranges {
        if let Some((message, help)) = refused(&text.text[range.clone()]) {
            is_fine = false;
            reading.problem_help(at(range.start), message, help);
        }
    }
    is_fine.then_some(ranges)
}

/// Why a statement cannot be part of a step, and what to do.
fn refused(statement: &str) -> Option<(&'static str, &'static str)> {
    let words = first_words(statement, usize::MAX);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_divided = matches!(words.as_slice(), ["savepoint" | "release", ..] | ["rollback", ..]);
    match (peculiarity(statement), words.as_slice()) {
        (Some(Peculiarity::TransactionControl), _) => Some((
            "a step may not begin or end transactions",
            "remove this statement: the step is one transaction already",
        )),
        _ if is_divided => Some((
            "a step may not divide its transaction",
            "make it two steps, or use a block with `exception` in `do`",
        )),
        (Some(Peculiarity::NoTransaction), _) => Some((
            "this statement cannot run in a transaction, which a step is",
            "make it a migration, with `-- seedbed: no-transaction` at its head",
        )),
        (Some(Peculiarity::CopyFromStdin), _) => Some((
            "`copy … from stdin` waits for data that nobody sends",
            "write the rows as `insert`, or as `seed` or `add`",
        )),
        (None, ["copy", ..]) if words.windows(2).any(|pair| pair == ["to", "stdout"]) => Some((
            "`copy … to stdout` sends data that nobody takes",
            "leave it out, or `assert` what it reads",
        )),
        _ => None,
    }
}

fn note(reading: &mut Reading, text: &Name, error: &SqlError) {
    let span: Span = reading.source.within(text.span, &text.text, error.offset);
    reading.problem_help(span, error.to_string(), error.kind.help());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_of_a_transaction_is_refused() {
        let check = |statement: &str, expected: Option<&str>| {
            assert_eq!(refused(statement).map(|(message, _)| message), expected, "{statement}");
        };
        let control = Some("a step may not begin or end transactions");
        let divided = Some("a step may not divide its transaction");
        let alone = Some("this statement cannot run in a transaction, which a step is");
        for statement in [
            "begin",
            "BEGIN work",
            "start transaction",
            "commit",
            "/* a */ Commit and chain",
            "end",
            "abort",
            "rollback",
            "prepare transaction 'x'",
            "commit prepared 'x'",
            "rollback prepared 'x'",
        ] {
            check(statement, control);
        }
        for statement in ["savepoint a", "release a", "rollback to a", "rollback to savepoint a"] {
            check(statement, divided);
        }
        for statement in [
            "vacuum",
            "vacuum full t",
            "create database a",
            "drop database a",
            "create tablespace a location 'b'",
            "create index concurrently i on t (a)",
            "create unique index concurrently on t (a)",
            "drop index concurrently i",
            "reindex table concurrently t",
            "reindex database a",
            "reindex (verbose) schema a",
            "reindex system a",
            "alter system set a = b",
            "discard all",
            "cluster",
            "cluster verbose",
            "alter table t detach partition p concurrently",
        ] {
            check(statement, alone);
        }
        for statement in [
            "update t set a = 1",
            "select 'commit'",
            "do $$ begin commit; end $$",
            "prepare p as select 1",
            "call begin()",
            "create table \"commit\" ()",
            "discard temp",
            "cluster t",
            "reindex table t",
            "set constraints all deferred",
            "copy t to '/tmp/t'",
            "lock table t",
        ] {
            check(statement, None);
        }
        check("copy t from stdin", Some("`copy … from stdin` waits for data that nobody sends"));
        check("copy (select 1) to stdout", Some("`copy … to stdout` sends data that nobody takes"));
    }
}
