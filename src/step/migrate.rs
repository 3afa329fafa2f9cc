//! `migrate`: goes on to a newer version of the schema, in the middle of a scenario that rehearses an upgrade.
//!
//! ```yaml
//! scenario: The upgrade keeps everybody
//! from: V3                                   # the database begins with migrations 1 to 3
//! steps:
//!   - sql: Rows of the old schema
//!     statements: insert into employees (name) values ('Alice')
//!   - migrate: To the newest version         # `to: V4` stops there
//!   - assert: Alice is there
//!     query: select full_name from people
//!     value: Alice
//! ```
//!
//! The steps before it are checked against the old schema, those behind it against the new one. Each pending
//! migration is applied in the transaction that it always has. Outcome: `migrated`. Only `seedbed test` runs
//! such a scenario: it takes a database of its own.

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step};
use crate::plan::Batch;
use crate::plan::catalog::Catalog;
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::reading::Reading;
use crate::project::rehearsal::{self, Version};
use crate::project::source::Source;
use crate::project::yaml::Entry;

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "migrate",
    keys: &["to"],
    outcomes: &[Outcome::Migrated],
    accepted: &[Outcome::Migrated],
    parse,
};

/// The migrations up to a version.
#[derive(Debug)]
struct Migrate {
    to: Option<Version>,
}

fn parse(reading: &mut Reading, Head { span, error }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    if error.is_some() {
        let help = "test the data that it would stumble over with an `assert` before it";
        reading.problem_help(error.unwrap_or(span), "a `migrate` step cannot expect an error", help);
    }
    let mut to = None;
    for entry in entries {
        match entry.key.as_str() {
            "to" => to = Some(rehearsal::version(reading, entry.value, "`to`")?),
            _ => reading.unknown_key(&entry, "a `migrate` step", KIND.keys),
        }
    }
    Some(Box::new(Migrate { to }))
}

impl Action for Migrate {
    fn check(&self, project: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
        if let Some(version) = &self.to {
            problems.extend(rehearsal::unknown(project, source, version));
        }
    }

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        Vec::new()
    }

    fn migrates(&self) -> Option<i32> {
        Some(self.to.as_ref().map_or(crate::run::NEWEST, |version| version.number))
    }

    fn compile(&self, step: &Step, _: &Project, _: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        // Whoever runs steps applies migrations where this one stands, and asks for no batch.
        Err(vec![
            Diagnostic::error("only `seedbed test` can apply migrations within a scenario")
                .at(&step.source, step.span),
        ])
    }
}
