//! Who may work on a database: two layers of advisory locks.
//!
//! The first layer is correctness: every transaction that writes takes a lock that ends with it, and
//! then looks whether its work is done already. It holds through any pooler, and whatever is killed.
//! The second is politeness: one session lock for the whole run, so that runners wait for each other
//! as a whole and can say for whom. It is polled: a blocked `pg_advisory_lock` holds a snapshot, which
//! `create index concurrently` waits for, and both would wait for ever.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::plan::quote::literal;

/// `seed` in ASCII: the first half of the key, so that other users of advisory locks are left alone.
const CLASS: i32 = 0x7365_6564;

/// The key: one for each schema with a history, so that applications that share a database do not wait
/// for each other.
fn key(schema: &str, class: i32) -> String {
    format!("{class}, hashtext({})", literal(schema))
}

/// Takes the lock of a transaction that has just begun, waiting no longer than `wait`; the transaction's own
/// limits are set behind it.
pub fn in_transaction(schema: &str, wait: Duration) -> String {
    format!(
        "set local statement_timeout = 0; set local lock_timeout = {};
select pg_advisory_xact_lock({});\n",
        // Zero would be for ever.
        wait.as_millis().max(1),
        key(schema, CLASS)
    )
}

/// Tries to take the run's lock; one row, `t` or `f`.
pub fn of_session(schema: &str) -> String {
    format!("select pg_try_advisory_lock({})", key(schema, CLASS + 1))
}

/// Asks who holds the run's lock; one row with a JSON document, or none.
pub fn who_holds(schema: &str) -> String {
    format!(
        "select json_build_object('pid', a.pid, 'user', a.usename, 'application', a.application_name,
  'address', coalesce(host(a.client_addr), 'local'), 'state', a.state,
  'since', to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'))
from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 2
  and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
  and l.classid::int8 = {} and l.objid::int8 = hashtext({})::int8 & 4294967295
limit 1",
        CLASS + 1,
        literal(schema)
    )
}

/// The session that holds a lock, as far as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Holder {
    /// Its process id on the server.
    pub pid: i64,
    /// Its role.
    pub user: Option<String>,
    /// What it calls itself: host, run and step, if it is one of ours.
    pub application: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// What it is doing: `active`, `idle`, ….
    pub state: Option<String>,
    /// When it connected, UTC.
    pub since: Option<String>,
}

impl Holder {
    /// Whether it is an earlier session of this run, which its server has not found dead yet.
    pub fn is_of(&self, run: &str) -> bool {
        self.application.as_deref().is_some_and(|name| name.split(' ').any(|word| word == run))
    }

    /// The line that would end it.
    pub fn end(&self) -> String {
        format!("select pg_terminate_backend({});", self.pid)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_unknown = |text: &Option<String>| match text.as_deref() {
            None | Some("") => "unknown".to_owned(),
            Some(text) => text.to_owned(),
        };
        write!(
            formatter,
            "`{}` ({}@{}, process {}, {}), connected since {}",
            or_unknown(&self.application),
            or_unknown(&self.user),
            or_unknown(&self.address),
            self.pid,
            or_unknown(&self.state),
            or_unknown(&self.since),
        )
    }
}
