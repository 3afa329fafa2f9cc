//! Applies one pending migration, in the way it wants to be applied.

use refinery::Target;

use super::outcome::{Applied, Failure};
use super::record::record;
use super::stepwise;
use crate::database::session::{Limits, Session};
use crate::project::migration::Migration;

/// Lets refinery apply one pending migration. It sees no other, and no history: what does not fit was
/// refused before, by `state`, and whether this one is still pending is asked under the lock.
pub fn apply(session: &mut Session, migration: &Migration) -> Result<Applied, Failure> {
    let limits = limits(session, migration);
    if migration.directives.no_transaction {
        return stepwise::apply(session, migration, limits);
    }
    record(session, migration, limits, Target::Latest)
}

/// The limits of a session, with those that the migration itself sets.
fn limits(session: &Session, migration: &Migration) -> Limits {
    let own = migration.directives;
    Limits {
        migration: own.statement_timeout.unwrap_or(session.limits.migration),
        lock: own.lock_timeout.unwrap_or(session.limits.lock),
        ..session.limits
    }
}
