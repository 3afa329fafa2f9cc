//! Mends the history: rows whose file has changed and is accepted as it is, and versions that a database
//! has without ever having been migrated.

use refinery::Target;

use super::history::{self, Applied as Row};
use super::outcome::Failure;
use super::record::record;
use super::state::{State, Version, checksum};
use crate::database::error::{Error, Phase};
use crate::database::facts::HISTORY;
use crate::database::lock;
use crate::database::session::Session;
use crate::plan::Access;
use crate::plan::quote::{literal, qualified};
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;

/// A row that would be written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The version.
    pub version: i64,
    /// The name it gets.
    pub name: String,
    /// What it was.
    pub from: Row,
    /// The checksum it gets.
    pub checksum: u64,
}

/// The rows that have a file and do not fit it.
pub fn repairs(versions: &[Version]) -> Vec<Repair> {
    let misfits = versions.iter().filter(|version| matches!(version.state, State::Drifted | State::Damaged));
    misfits
        .filter_map(|version| {
            let (file, row) = (version.file?, version.applied?);
            Some(Repair {
                version: version.version,
                name: file.name.clone(),
                from: row.clone(),
                checksum: checksum(file),
            })
        })
        .collect()
}

/// Writes rows anew, all or none, in one transaction under the lock.
///
/// # Errors
///
/// The server refuses, or a row is no longer what it was.
pub fn repair(session: &mut Session, repairs: &[Repair]) -> Result<(), Error> {
    let schema = session.schema()?;
    let limits = session.limits;
    let opening = session.opening(Access::Write);
    let mut sql = format!("{opening}{}", lock::in_transaction(&schema, limits.runner));
    for repair in repairs {
        // A row that has no time gets one of refinery's form.
        sql.push_str(&format!(
            "do $$ begin update {} set name = {}, checksum = '{}',
  applied_on = coalesce(applied_on, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
where version = {} and (checksum is not distinct from {} or checksum = '{}');
if not found then raise exception 'the row of version {} has changed meanwhile' using errcode = '40001'; end if; end $$;\n",
            qualified(&schema, HISTORY),
            literal(&repair.name),
            repair.checksum,
            repair.version,
            repair.from.checksum.as_deref().map_or("null".to_owned(), literal),
            // Done already, by a commit whose answer was lost.
            repair.checksum,
            repair.version,
        ));
    }
    sql.push_str(session.closing());
    session.simple_commit(sql, limits.statement).map(drop).inspect_err(|error| {
        if error.leaves_session_usable() {
            let _ = session.rollback();
        }
    })
}

/// Records migrations as applied without running them, one by one in the order of their versions.
///
/// # Errors
///
/// As for a migration; and there is a history already, which has grown as it should.
pub fn baseline(session: &mut Session, files: &[&Migration]) -> Result<(), Failure> {
    let limits = session.limits;
    let failure = |error| Failure::Database(error, Phase::Work);
    let rows = history::read(session, limits.statement).map_err(failure)?.unwrap_or_default();
    if !rows.is_empty() {
        return Err(Failure::Refused(Box::new(has_history(&rows))));
    }
    for file in files {
        record(session, file, limits, Target::Fake)?;
    }
    Ok(())
}

/// Why a baseline is refused.
pub fn has_history(rows: &[Row]) -> Diagnostic {
    Diagnostic::error(format!("the database has a history already, of {} migrations", rows.len()))
        .help("`seedbed status` shows it; a baseline is for a database that was never migrated by a tool")
}

impl Repair {
    /// The error of a version that needs no repair or cannot have one.
    pub fn none(version: i64) -> Diagnostic {
        Diagnostic::error(format!(
            "the row of version {version} needs no repair, or there is no file to repair it from"
        ))
        .help("`seedbed repair` alone shows what can be repaired")
    }
}
