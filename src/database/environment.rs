//! What a database is: a name like `production`, and whether it is protected. Recorded in the database
//! itself, so that a connection string that leads to the wrong one is noticed there.

use super::error::Error;
use super::facts::ENVIRONMENT;
use super::lock;
use super::session::Session;
use crate::plan::quote::{literal, qualified};
use crate::plan::{Access, text};

/// What a database is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Whether steps that delete are refused.
    pub is_protected: bool,
}

/// Reads what is recorded, if anything is.
pub fn read(session: &mut Session) -> Result<Option<Environment>, Error> {
    let Some(schema) = session.facts.schema.clone().filter(|_| session.facts.has_environment) else {
        return Ok(None);
    };
    let sql = format!("select name, is_protected from {}", qualified(&schema, ENVIRONMENT));
    let rows = session.simple(sql, session.limits.statement)?;
    Ok(rows
        .first()
        .map(|row| Environment { name: text(row, 0).to_owned(), is_protected: text(row, 1) == "t" }))
}

/// Records it, in place of what was recorded before.
pub fn record(session: &mut Session, environment: &Environment) -> Result<(), Error> {
    let schema = session.schema()?;
    let table = qualified(&schema, ENVIRONMENT);
    let sql = format!(
        "{opening}{lock}create table if not exists {table} (
  name text not null,
  is_protected boolean not null,
  recorded_at timestamptz not null default clock_timestamp()
);
delete from {table};
insert into {table} (name, is_protected) values ({name}, {is_protected});
{closing}",
        opening = session.opening(Access::Write),
        lock = lock::in_transaction(&schema, session.limits.runner),
        name = literal(&environment.name),
        is_protected = environment.is_protected,
        closing = session.closing(),
    );
    session.simple_commit(sql, session.limits.statement).inspect_err(|error| {
        if error.leaves_session_usable() {
            let _ = session.rollback();
        }
    })?;
    session.facts.has_environment = true;
    Ok(())
}
