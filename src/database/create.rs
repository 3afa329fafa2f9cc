//! Creates the database a connection string names, when it is not there and somebody asked for it.

use super::clock::Clock;
use super::dsn::Dsn;
use super::error::Error;
use super::session::{Limits, Session, sqlstate};
use crate::plan::quote::identifier;

/// The databases to connect to for it: every cluster has them, unless somebody removed them.
const MAINTENANCE: &[&str] = &["postgres", "template1"];

/// Creates the database. Another runner may be faster, which is as good.
///
/// # Errors
///
/// No other database of the server can be reached, or the role may not create one.
pub fn database(dsn: &Dsn, application_name: &str, limits: Limits, clock: &Clock) -> Result<(), Error> {
    let mut error = None;
    for name in MAINTENANCE {
        let other = Dsn { database: (*name).to_owned(), ..dsn.clone() };
        let mut session = match Session::open(&other, application_name, None, limits, clock) {
            Ok(session) => session,
            Err(refused) => {
                error = Some(refused);
                continue;
            }
        };
        let sql = format!("create database {}", identifier(&dsn.database));
        return match session.simple(sql, limits.migration) {
            Ok(_) => Ok(()),
            // There by now: the second code is that of two runners at the very same time.
            Err(error) if matches!(sqlstate(&error), Some("42P04" | "23505")) => Ok(()),
            Err(error) => Err(error),
        };
    }
    Err(error.unwrap_or_else(|| Error::Unfit("no database to connect to is known".to_owned())))
}
