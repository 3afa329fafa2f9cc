//! What a new session finds out about its server, in one round trip.

use crate::plan::quote::literal;
use crate::plan::{Answer, text};

/// The table of refinery's history.
pub const HISTORY: &str = "refinery_schema_history";
/// The table that says what the database is.
pub const ENVIRONMENT: &str = "seedbed_environment";
/// The table of our ledger, which stands beside it.
pub const LEDGER: &str = "seedbed_ledger";

/// What a session knows of its server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The server's version, like `150018`.
    pub version: u32,
    /// Whether a pooler stands between: then one session is not one server process, and a lock of the
    /// session protects nothing.
    pub is_pooled: bool,
    /// Whether the server takes no writes: a standby, or one that was made read-only.
    pub is_read_only: bool,
    /// The schema that history and ledger are in, or would be created in: the first of the search
    /// path. `None` when no schema of the path exists.
    pub schema: Option<String>,
    /// Whether the history is there.
    pub has_history: bool,
    /// Whether the ledger is there.
    pub has_ledger: bool,
    /// Whether it is recorded what the database is.
    pub has_environment: bool,
}

/// The setting that a session brings along at its start. A pooler refuses it, or drops it, so a session
/// that still finds it has a server process of its own. (Process ids would tell too, but the client
/// library keeps them to itself.)
pub fn mark(nonce: &str) -> String {
    format!("-c seedbed.session={nonce}")
}

/// The question; [`Facts::read`] understands its answer.
pub fn ask() -> String {
    let (history, ledger, environment) = (literal(HISTORY), literal(LEDGER), literal(ENVIRONMENT));
    // Of a relation, whose catalog has the number 1259 everywhere. Planning a query of that catalog would
    // take as long as all the rest.
    let schema_of = |table: &str| {
        format!("(pg_identify_object_as_address(1259, to_regclass({table}), 0)).object_names[1]")
    };
    format!(
        "select current_setting('server_version_num'), coalesce(current_setting('seedbed.session', true), ''),
  pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool,
  current_schema(), {}, {}, to_regclass({environment}) is not null",
        schema_of(&history),
        schema_of(&ledger),
    )
}

impl Facts {
    /// Reads the answer, for a session that was marked with this nonce or not at all.
    pub fn read(answer: &Answer, nonce: Option<&str>) -> Facts {
        let Some(row) = answer.first() else { return Facts::default() };
        let is_true = |column| text(row, column) == "t";
        // Found along the search path, so both are in one of its schemas, mostly the first.
        let schema = [4, 5, 3].into_iter().find_map(|column| row.get(column)?.clone());
        Facts {
            version: text(row, 0).parse().unwrap_or_default(),
            is_pooled: nonce.is_none_or(|nonce| text(row, 1) != nonce),
            is_read_only: is_true(2),
            schema,
            has_history: row.get(4).is_some_and(Option::is_some),
            has_ledger: row.get(5).is_some_and(Option::is_some),
            has_environment: is_true(6),
        }
    }
}
