//! The ledger: a row in the same transaction as each step that wrote something.
//!
//! It settles a commit whose answer was lost: the row is there exactly when the step's effect is. And it
//! answers what ran here, when, and from which content. It never decides whether a fixture is
//! applied: only the data does.

use super::facts::LEDGER;
use crate::plan::quote::{literal, qualified};
use crate::plan::text;

/// A step of one run, before it is known how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The run's nonce.
    pub run: String,
    /// The step's number in the run, counted from 1.
    pub number: usize,
    /// The host that runs it.
    pub host: String,
    /// The scenario's title.
    pub scenario: String,
    /// The step's kind.
    pub kind: &'static str,
    /// The step's title.
    pub title: String,
    /// A hash of the files it was written in.
    pub content: String,
}

/// Creates the ledger. Only safe under the lock: two `if not exists` at once may both find nothing.
pub fn create(schema: &str) -> String {
    format!(
        "create table if not exists {} (
  run text not null,
  number integer not null,
  host text not null,
  scenario text not null,
  kind text not null,
  title text not null,
  outcome text not null,
  content text not null,
  version text not null,
  done_at timestamptz not null default clock_timestamp(),
  primary key (run, number)
);\n",
        qualified(schema, LEDGER)
    )
}

impl Entry {
    /// Asks whether this very step of this very run was committed: one row, or none.
    pub fn question(&self, schema: &str) -> String {
        format!(
            "select outcome from {} where run = {} and number = {}",
            qualified(schema, LEDGER),
            literal(&self.run),
            self.number
        )
    }

    /// Enters the step, if its transaction has written anything.
    pub fn enter(&self, schema: &str, outcome: &str) -> String {
        let texts = [
            &*self.host,
            &self.scenario,
            self.kind,
            &self.title,
            outcome,
            &self.content,
            env!("CARGO_PKG_VERSION"),
        ];
        let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        format!(
            "insert into {} (run, number, host, scenario, kind, title, outcome, content, version)
select {}, {}, {} where pg_current_xact_id_if_assigned() is not null;\n",
            qualified(schema, LEDGER),
            literal(&self.run),
            self.number,
            texts.join(", ")
        )
    }
}

/// One statement of a migration that runs outside of any transaction. It is entered before it is run
/// and marked when it is done, so that a run that was cut off can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The migration, as refinery names it: in place of a run.
    pub migration: &'a str,
    /// Its number in the file, counted from 1.
    pub number: usize,
    /// Its first words.
    pub title: &'a str,
    /// A hash of its text.
    pub content: String,
}

impl Statement<'_> {
    /// Asks what is known of it: one row with outcome and content, or none.
    pub fn question(&self, schema: &str) -> String {
        format!(
            "select outcome, content from {} where run = {} and number = {}",
            qualified(schema, LEDGER),
            literal(self.migration),
            self.number
        )
    }

    /// Enters it as begun.
    pub fn begin(&self, schema: &str, host: &str) -> String {
        let texts =
            [host, self.migration, "migration", self.title, BEGUN, &self.content, env!("CARGO_PKG_VERSION")];
        format!(
            "insert into {} (run, number, host, scenario, kind, title, outcome, content, version)
values ({}, {}, {}) on conflict do nothing",
            qualified(schema, LEDGER),
            literal(self.migration),
            self.number,
            texts.map(literal).join(", ")
        )
    }

    /// Marks it as done, or takes it out because it failed.
    pub fn end(&self, schema: &str, is_done: bool) -> String {
        let change = match is_done {
            true => format!(
                "update {} set outcome = 'done', done_at = clock_timestamp()",
                qualified(schema, LEDGER)
            ),
            false => format!("delete from {}", qualified(schema, LEDGER)),
        };
        format!("{change} where run = {} and number = {}", literal(self.migration), self.number)
    }
}

/// The outcome of a statement that was begun, and of which nothing more is known.
pub const BEGUN: &str = "begun";

/// Asks for what the newest run wrote, the first step first; [`Written::read`] understands the rows.
pub fn last(schema: &str, most: usize) -> String {
    let table = qualified(schema, LEDGER);
    format!(
        "select run, host, scenario, kind, title, outcome, content, version,
  to_char(done_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')
from {table} where run = (select run from {table} order by done_at desc limit 1)
order by number limit {most}"
    )
}

/// An entry as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // The columns of the table.
pub struct Written {
    pub run: String,
    pub host: String,
    pub scenario: String,
    pub kind: String,
    pub title: String,
    pub outcome: String,
    pub content: String,
    pub version: String,
    /// UTC.
    pub done_at: String,
}

impl Written {
    /// Reads one row of the answer to [`last`].
    pub fn read(row: &[Option<String>]) -> Written {
        let own = |column| text(row, column).to_owned();
        Written {
            run: own(0),
            host: own(1),
            scenario: own(2),
            kind: own(3),
            title: own(4),
            outcome: own(5),
            content: own(6),
            version: own(7),
            done_at: own(8),
        }
    }

    /// The entry for machines.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "run": self.run,
            "host": self.host,
            "scenario": self.scenario,
            "kind": self.kind,
            "title": self.title,
            "outcome": self.outcome,
            "content": self.content,
            "seedbed": self.version,
            "done_at": self.done_at,
        })
    }
}
