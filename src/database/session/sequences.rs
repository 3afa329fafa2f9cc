//! Where sequences stand, and which of them the transaction has touched.

use super::Session;
use crate::database::error::Error;
use crate::plan::quote::{literal, qualified};
use crate::plan::text;
use crate::plan::wrote::Named;

const NAMES: &str = "select 'sequence', n.nspname, c.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and n.nspname not like 'pg\\_%' and has_schema_privilege(n.oid, 'usage')
  and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'select') end order by 2, 3";

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its schema and name.
    pub name: Named,
    /// Its last value, and whether that was given out.
    pub value: String,
    /// Whether this transaction has drawn from it or set it, as far as the locks tell.
    is_touched: bool,
}

impl Session {
    /// Where all sequences stand that may be looked at.
    pub fn sequences(&mut self) -> Result<Vec<Standing>, Error> {
        let limit = self.limits.statement;
        let mut names = self.simple(NAMES.to_owned(), limit)?;
        // What begins the transaction answers before it, if that was due.
        names.retain(|row| row.len() == 3 && text(row, 0) == "sequence");
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let select = |row: &Vec<Option<String>>| {
            let (schema, name) = (text(row, 1), text(row, 2));
            // Who looks has another lock than who draws.
            format!(
                "select {}, {}, last_value::text || ' ' || is_called::text, exists (select from pg_catalog.pg_locks l
  where l.pid = pg_backend_pid() and l.relation = {}::regclass and l.mode = 'RowExclusiveLock')::text from {}",
                literal(schema),
                literal(name),
                literal(&qualified(schema, name)),
                qualified(schema, name)
            )
        };
        let selects: Vec<String> = names.iter().map(select).collect();
        let answer = self.simple(selects.join("\nunion all\n"), limit)?;
        let standing = |row: &Vec<Option<String>>| Standing {
            name: (text(row, 0).to_owned(), text(row, 1).to_owned()),
            value: text(row, 2).to_owned(),
            is_touched: text(row, 3) == "true",
        };
        Ok(answer.iter().map(standing).collect())
    }
}

/// The sequences that the transaction has moved since then. What others do to them is theirs.
pub fn moved(before: &[Standing], after: &[Standing]) -> Vec<Named> {
    let is_moved = |now: &&Standing| {
        now.is_touched && !before.iter().any(|then| (&then.name, &then.value) == (&now.name, &now.value))
    };
    after.iter().filter(is_moved).map(|now| now.name.clone()).collect()
}
