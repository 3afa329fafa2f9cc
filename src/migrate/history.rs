//! What refinery's history table says was applied.

use std::time::Duration;

use crate::database::error::Error;
use crate::database::facts::HISTORY;
use crate::database::session::{Session, sqlstate};
use crate::plan::quote::{literal, qualified};

/// Asks whether a version was applied: one row, or none.
pub fn question(schema: &str, version: i32) -> String {
    format!("select checksum from {} where version = {version}", qualified(schema, HISTORY))
}

/// One applied migration, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version.
    pub version: i64,
    /// The name behind the version, `None` in a damaged row.
    pub name: Option<String>,
    /// When, as RFC 3339 text.
    pub applied_on: Option<String>,
    /// The checksum as decimal text.
    pub checksum: Option<String>,
}

/// Reads the history in one round trip. No table is an empty history; nothing is written.
pub fn read(session: &mut Session, limit: Duration) -> Result<Option<Vec<Applied>>, Error> {
    let Some(schema) = &session.facts.schema else { return Ok(None) };
    let table = qualified(schema, HISTORY);
    if !session.facts.has_history {
        // Another runner may have made it since. Selecting from what is not there would be an error,
        // which a transaction around it would not survive.
        let asked = session.simple(format!("select to_regclass({}) is not null", literal(&table)), limit)?;
        session.facts.has_history = asked.first().is_some_and(|row| row[0].as_deref() == Some("t"));
    }
    if !session.facts.has_history {
        return Ok(None);
    }
    let sql = format!("select version, name, applied_on, checksum from {table} order by version");
    match session.simple(sql, limit) {
        Ok(rows) => Ok(Some(
            rows.into_iter()
                .map(|mut row| {
                    row.resize(4, None);
                    let mut cells = row.into_iter();
                    Applied {
                        version: cells
                            .next()
                            .flatten()
                            .and_then(|text| text.parse().ok())
                            .unwrap_or_default(),
                        name: cells.next().flatten(),
                        applied_on: cells.next().flatten(),
                        checksum: cells.next().flatten(),
                    }
                })
                .collect(),
        )),
        Err(error) if sqlstate(&error) == Some("42P01") => Ok(None),
        Err(error) => Err(error),
    }
}
