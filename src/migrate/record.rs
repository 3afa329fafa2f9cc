//! One migration by refinery: its text and its row of the history, or only the row.

use refinery::{Migration as Refinery, Runner, Target};

use super::outcome::{Applied, Failure, located};
use super::transaction::OneTransaction;
use crate::database::error::{Class, Phase};
use crate::database::facts::HISTORY;
use crate::database::session::{Limits, Session};
use crate::plan::quote::qualified;
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::Span;

/// Lets refinery run a migration and write its row, or with [`Target::Fake`] only write the row.
pub fn record(
    session: &mut Session,
    migration: &Migration,
    limits: Limits,
    target: Target,
) -> Result<Applied, Failure> {
    let file = Refinery::unapplied(&migration.stem(), &migration.source.text)
        .map_err(|error| Failure::Refused(Box::new(Diagnostic::error(error.to_string()))))?;
    let schema = session.schema().map_err(|error| Failure::Database(error, Phase::Work))?;
    let table = qualified(&schema, HISTORY);
    let version = Some(migration.version);
    let mut one = OneTransaction { session, limits, schema, version, became: None, failure: None, at: None };
    // Grouped: the migration and its history row in one transaction.
    let mut runner = Runner::new(std::slice::from_ref(&file)).set_grouped(true).set_target(target);
    runner.set_migration_table_name(table);
    let result = runner.run(&mut one);
    let (became, failure, at) = (one.became, one.failure, one.at);
    match (result, failure) {
        (Ok(_), _) => Ok(became.unwrap_or(Applied::Before)),
        (Err(_), Some((error, phase))) => match (error.server(), error.class(phase)) {
            (Some(server), Class::Permanent)
                if phase == Phase::Work && at.is_none() && server.position.is_some() =>
            {
                // Of our own beginning, before the file.
                Err(Failure::Database(error, phase))
            }
            (Some(server), Class::Permanent) => {
                let when = if phase == Phase::Commit { ", when it was committed" } else { "" };
                let note = format!("migration {} was rolled back{when}", migration.title());
                Err(Failure::Refused(Box::new(located(server, migration, at).note(note))))
            }
            _ => Err(Failure::Database(error, phase)),
        },
        (Err(error), None) => Err(Failure::Refused(Box::new(
            Diagnostic::error(error.to_string()).at(&migration.source, Span::default()),
        ))),
    }
}
