//! Reads names of constraints, columns and roles: in one round trip, if any are wanted.

use crate::database::error::Error;
use crate::database::session::Session;
use crate::plan::names::{Constraint, Names, Wanted};
use crate::plan::text;

/// The names that are wanted.
pub fn read(session: &mut Session, wanted: Wanted) -> Result<Names, Error> {
    let mut names = Names::default();
    if wanted == Wanted::default() {
        return Ok(names);
    }
    let parts = [(wanted.constraints, CONSTRAINTS), (wanted.columns, COLUMNS), (wanted.roles, ROLES)];
    let sql: String = parts.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, sql)| *sql).collect();
    for row in session.simple(sql, session.limits.statement)? {
        let name = text(&row, 1).to_owned();
        match text(&row, 0) {
            "constraint" => names.constraints.push(Constraint { name, table: text(&row, 2).parse().ok() }),
            "role" => names.roles.push((name, text(&row, 2) == "t")),
            _ => names.columns.push(name),
        }
    }
    Ok(names)
}

/// An index is what the server names where a unique one is violated that is no constraint. That a value may
/// not be null is a constraint since PostgreSQL 18, which its errors do not name.
const CONSTRAINTS: &str = "select 'constraint', k.conname, nullif(k.conrelid, 0)
from pg_catalog.pg_constraint k join pg_catalog.pg_namespace n on n.oid = k.connamespace
where k.contype <> 'n' and n.nspname not in ('pg_catalog', 'information_schema')
union
select 'constraint', c.relname, i.indrelid
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where i.indisunique and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by 2;
";

const COLUMNS: &str = "select distinct 'column', a.attname
from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f') and a.attnum > 0 and not a.attisdropped
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by 2;
";

/// Since PostgreSQL 16 a member may be one who inherits and may not act.
const ROLES: &str = "select 'role', r.rolname, pg_has_role(current_user, r.oid,
  case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
from pg_catalog.pg_roles r order by 2;
";
