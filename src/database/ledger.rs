//! The ledger: a row in the same transaction as each step that wrote something.
//!
//! It settles a commit whose answer was lost: the row is there exactly when the step's effect is. And it
//! answers what ran here, when, and from which content. It never decides whether a fixture is
//! applied: only the data does.

use super::facts::LEDGER;
use crate::plan::quote::{literal, qualified};

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

/// The newest entries, one row each: run, host, scenario, kind, title, outcome, content, version, time.
pub fn last(schema: &str, most: usize) -> String {
    format!(
        "select run, host, scenario, kind, title, outcome, content, version,
  to_char(done_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')
from {} order by done_at desc, number desc limit {most}",
        qualified(schema, LEDGER)
    )
}
