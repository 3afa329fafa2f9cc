//! Reads what the server's catalog says of some tables: in one round trip, and one more each if their
//! types are not all well known, or if foreign keys lead to tables that nobody named.
//!
//! Many small queries in one message, and not a large one: a new server process plans each with cold
//! caches, and planning the large one took twice as long as all of these together.

mod details;
pub mod names;

use std::collections::{BTreeSet, HashMap};

use super::error::Error;
use super::lock;
use super::session::Session;
use crate::plan::Answer;
use crate::plan::catalog::{Catalog, Column, ForeignKey, IndexKey, Key, Table, TableKind};
use crate::plan::quote::{identifier, literal, qualified, table_parts};
use crate::plan::text;
use details::{Details, Kind};

/// A row of an answer.
type Row = [Option<String>];

/// The catalog of the named tables and of those their foreign keys lead to. A name that stands for
/// no table is simply not among the catalog's names.
pub fn read(session: &mut Session, names: &[&str]) -> Result<Catalog, Error> {
    Ok(read_and_lock(session, names, false)?.0)
}

/// The same. On the way the lock of the run is tried, if `locks` says so: beside the catalog it says
/// whether it was got.
pub fn read_and_lock(session: &mut Session, names: &[&str], locks: bool) -> Result<(Catalog, bool), Error> {
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let wanted = |name: &&str| {
        let quoted = table_parts(name).map(|(schema, table)| match schema {
            Some(schema) => qualified(&schema, &table),
            None => identifier(&table),
        });
        let quoted = quoted.map_or("null".to_owned(), |quoted| literal(&quoted));
        (literal(name), format!("to_regclass({quoted})::oid"))
    };
    let (written, ids): (Vec<String>, Vec<String>) = names.iter().map(wanted).unzip();
    let named: Vec<String> = written.iter().zip(&ids).map(|(name, id)| format!("({name}, {id})")).collect();
    let schema = session.facts.schema.as_ref();
    let schema = schema.filter(|_| locks && !session.facts.is_pooled && !session.facts.is_read_only);
    let lock = schema.map(|schema| format!("select 'lock', * from ({}) l;\n", lock::of_session(schema)));
    let first = format!(
        "{}select set_config('seedbed.tables', array[{}]::oid[]::text, true);\n\
         select 'name', w.name, w.oid from (values {}) w(name, oid) where w.oid is not null;\n",
        lock.unwrap_or_default(),
        ids.join(", "),
        named.join(", ")
    );
    let mut answer = session.simple(first + READ, session.limits.statement)?;
    let parents = parents_missing(&answer);
    if !parents.is_empty() {
        let known: Vec<&str> =
            answer.iter().filter(|row| text(row, 0) == "table").map(|row| text(row, 1)).collect();
        let reached = REACHED.replace("{parents}", &parents.join(",")).replace("{known}", &known.join(","));
        answer.extend(session.simple(reached + READ, session.limits.statement)?);
    }
    let details = Details::read(session, &answer)?;
    let unread = || Error::Unfit("the catalog cannot be read".to_owned());
    let mut catalog = assemble(&answer, &details).ok_or_else(unread)?;
    catalog.tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    if catalog.names.len() < names.len() {
        let answer = session.simple(KNOWN.to_owned(), session.limits.statement)?;
        catalog.known = answer.iter().map(|row| text(row, 0).to_owned()).collect();
    }
    let is_locked = answer.iter().any(|row| text(row, 0) == "lock" && text(row, 1) == "t");
    Ok((catalog, is_locked))
}

/// Adds what there is of unique indexes of these names to their tables.
pub fn add_indexes(session: &mut Session, catalog: &mut Catalog, names: &[&str]) -> Result<(), Error> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let tables: Vec<String> = catalog.tables.iter().map(|table| table.oid.to_string()).collect();
    let sql = INDEXES.replace("{names}", &names.join(", ")).replace("{tables}", &tables.join(","));
    for row in session.simple(sql, session.limits.statement)? {
        let Some(table) = table(catalog, text(&row, 0)) else { continue };
        let list = |column| serde_json::from_str::<Vec<String>>(text(&row, column)).unwrap_or_default();
        let (name, predicate) = (text(&row, 1).to_owned(), row[3].clone());
        table.indexes.push(IndexKey { name, parts: list(2), predicate, columns: list(4) });
    }
    Ok(())
}

/// The tables that foreign keys lead to and that the answer says nothing of.
fn parents_missing(answer: &Answer) -> Vec<String> {
    let of = |tag: &'static str| answer.iter().filter(move |row| text(row, 0) == tag);
    let parents = of("foreign_key").map(|row| text(row, 3));
    let missing = parents.filter(|parent| !of("table").any(|row| text(row, 1) == *parent));
    missing.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Rows of all queries, each with its tag, into the catalog; `None` if they are not of that form. Rows of
/// what is no table, like an index whose name somebody took for one, are passed over.
fn assemble(answer: &Answer, details: &Details) -> Option<Catalog> {
    let mut catalog = Catalog::default();
    let mut columns: HashMap<(u32, i16), String> = HashMap::new();
    let mut collations: HashMap<(u32, &str), &str> = HashMap::new();
    let of = |tag: &'static str| answer.iter().filter(move |row| text(row, 0) == tag);
    for row in of("table") {
        catalog.tables.push(Table {
            oid: text(row, 1).parse().ok()?,
            schema: unquoted(text(row, 2)),
            name: text(row, 3).to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            partitions_refer_to: Vec::new(),
            kind: TableKind::of(text(row, 4)),
            is_secured: text(row, 5) == "t",
            has_insert_trigger: false,
            // A rule may make something else of what is written too.
            has_trigger: text(row, 6) == "t",
        });
    }
    for row in of("name") {
        let oid = text(row, 2).parse().ok()?;
        // A name may also be that of a sequence or an index.
        if catalog.table_by_oid(oid).is_some() {
            catalog.names.insert(text(row, 1).to_owned(), oid);
        }
    }
    let defaults: HashMap<(&str, &str), &Row> =
        of("default").map(|row| ((text(row, 1), text(row, 2)), &**row)).collect();
    for row in of("column") {
        let Some(table) = table(&mut catalog, text(row, 1)) else { continue };
        let type_id: u32 = text(row, 5).parse().ok()?;
        let default = defaults.get(&(text(row, 1), text(row, 2))).copied();
        let column = column(row, default, details.kind(type_id)?, details)?;
        columns.insert((table.oid, text(row, 2).parse().ok()?), column.name.clone());
        collations.insert((table.oid, text(row, 2)), text(row, 11));
        table.columns.push(column);
    }
    let named = |oid: u32, numbers: &str| -> Option<Vec<String>> {
        let numbers = numbers.trim_matches(['{', '}']).split([',', ' ']);
        numbers.map(|number| columns.get(&(oid, number.parse().ok()?)).cloned()).collect()
    };
    for row in of("key") {
        let Some(table) = table(&mut catalog, text(row, 1)) else { continue };
        // Two values that are the same to a column may be two to an index of another collation.
        let of_index = text(row, 4).split(' ').zip(text(row, 6).split(' '));
        if of_index.into_iter().any(|(number, own)| collations.get(&(table.oid, number)) != Some(&own)) {
            continue;
        }
        let mut names = named(table.oid, text(row, 4))?;
        names.truncate(text(row, 5).parse().ok()?); // What `include` adds is no part of the key.
        // As the search path needs it, so a schema may stand before it.
        let name = table_parts(text(row, 2)).map_or_else(|| text(row, 2).to_owned(), |(_, name)| name);
        table.keys.push(Key { name, columns: names, primary: text(row, 3) == "t" });
    }
    // A partition that refers to its own root by the same key has two constraints for it.
    let is_copy = |row: &[Option<String>]| {
        of("foreign_key").any(|it| text(it, 6) == text(row, 7) && text(it, 1) == text(row, 1))
    };
    for row in of("foreign_key").filter(|row| !is_copy(row)) {
        let Some(table) = table(&mut catalog, text(row, 1)) else { continue };
        let parent = text(row, 3).parse().ok()?;
        table.foreign_keys.push(ForeignKey {
            name: text(row, 2).to_owned(),
            columns: named(table.oid, text(row, 4))?,
            parent,
            parent_columns: named(parent, text(row, 5))?,
        });
    }
    for row in of("partition") {
        let Some(table) = table(&mut catalog, text(row, 1)) else { continue };
        table.partitions_refer_to.push(text(row, 2).parse().ok()?);
    }
    for row in of("trigger") {
        let Some(table) = table(&mut catalog, text(row, 1)) else { continue };
        table.has_trigger = true;
        table.has_insert_trigger |= text(row, 2) == "t";
    }
    for table in &mut catalog.tables {
        table.keys.sort_by(|a, b| (!a.primary, &a.name).cmp(&(!b.primary, &b.name)));
        table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Some(catalog)
}

/// A row of the query for columns, whose type is of that kind, with the one of the query for defaults.
fn column(row: &Row, default: Option<&Row>, kind: &Kind, details: &Details) -> Option<Column> {
    let (declared, declared_modifier) = (text(row, 4).to_owned(), text(row, 6));
    let modifier = if kind.modifier == -1 { declared_modifier.parse().ok()? } else { kind.modifier };
    let is_generated = text(row, 8) == "t";
    let expression = default.map_or("", |default| text(default, 3));
    // Old schemas name a sequence as text, which may be that of none.
    let is_whole = matches!(text(row, 5), "20" | "21" | "23");
    let named = default.filter(|_| is_whole).and_then(|default| default.get(5)?.clone());
    let (default, is_default_fixed) = match default {
        _ if is_generated => (None, false),
        Some(default) => (Some(expression.to_owned()), details.is_fixed(text(default, 4))),
        None => (kind.default.clone(), kind.is_default_fixed),
    };
    Some(Column {
        name: text(row, 3).to_owned(),
        type_name: kind.name.clone(),
        exact: match (kind.holds_domains, &kind.exact) {
            (true, _) => Some(declared.clone()),
            (false, None) => (declared_modifier != "-1").then(|| declared.clone()),
            (false, exact) => exact.clone(),
        },
        // An array of domains equals none of what they are made from.
        compared_as: match (kind.holds_domains, &kind.compared_as) {
            (true, None) => Some(kind.name.clone()),
            (_, compared_as) => compared_as.clone(),
        },
        declared,
        // `varchar(n)` and `char(n)`, whose modifier counts four more.
        length_max: (matches!(kind.base, 1042 | 1043) && modifier > 4).then(|| (modifier - 4) as usize),
        is_array: kind.is_array,
        is_domain: kind.is_domain,
        not_null: text(row, 7) == "t" || kind.not_null,
        default,
        is_default_fixed,
        identity: text(row, 9).to_owned(),
        generated: is_generated,
        sequence: row.get(10)?.clone().or_else(|| sequence_of(row, expression)).or(named),
        labels: kind.labels.clone(),
    })
}

/// The sequence that a column's default draws from, quoted as the search path needs it, if that is all that
/// the default does and the column holds whole numbers.
fn sequence_of(row: &Row, default: &str) -> Option<String> {
    let is_whole = matches!(text(row, 5), "20" | "21" | "23");
    let name = default.strip_prefix("nextval('")?.strip_suffix("'::regclass)")?;
    is_whole.then(|| name.replace("''", "'"))
}

fn table<'c>(catalog: &'c mut Catalog, oid: &str) -> Option<&'c mut Table> {
    let oid: u32 = oid.parse().ok()?;
    catalog.tables.iter_mut().find(|table| table.oid == oid)
}

/// A name without the quotes that the server puts around an unusual one.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// Keeps the ids of tables and of all that their foreign keys lead to, without those that are known
/// already, as a setting that ends with the message.
const REACHED: &str = "with recursive reached(oid) as (
  select a.oid from unnest(array[{parents}]::oid[]) a(oid)
  union
  select k.confrelid from reached r join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype = 'f'
)
select set_config('seedbed.tables', (select coalesce(array_agg(oid), '{}')::text from reached where oid <> all (array[{known}]::oid[])), true);
";

/// What there is of the tables whose ids were kept. Joins are what costs a new server process most: names
/// of schemas and indexes come by the types that know them, and defaults on their own.
const READ: &str = "select 'table', c.oid, c.relnamespace::regnamespace, c.relname, c.relkind, c.relrowsecurity and row_security_active(c.oid),
  c.relhasrules and c.relkind in ('r', 'p')
from pg_catalog.pg_class c
where c.oid = any (current_setting('seedbed.tables')::oid[]) and c.relkind in ('r', 'p', 'v', 'm', 'f');
select 'column', a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull,
  a.attgenerated <> '', a.attidentity,
  case when a.attidentity <> '' then pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) end, a.attcollation
from pg_catalog.pg_attribute a
where a.attrelid = any (current_setting('seedbed.tables')::oid[]) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum;
select 'default', d.adrelid, d.adnum, x.expression, d.adbin::text,
  case when x.expression like 'nextval((%' then to_regclass(substring(x.expression from
    '^nextval[(][(]''((?:[a-z_][a-z0-9_]*|\"[^\"'']+\")(?:[.](?:[a-z_][a-z0-9_]*|\"[^\"'']+\"))?)''::text[)]::regclass[)]$')) end
from pg_catalog.pg_attrdef d, lateral (select pg_get_expr(d.adbin, d.adrelid) expression) x
where d.adrelid = any (current_setting('seedbed.tables')::oid[]);
select 'key', i.indrelid, i.indexrelid::regclass, i.indisprimary, i.indkey::text, i.indnkeyatts, i.indcollation::text
from pg_catalog.pg_index i
where i.indrelid = any (current_setting('seedbed.tables')::oid[]) and i.indisunique
  and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null;
select 'foreign_key', k.conrelid, k.conname, k.confrelid, k.conkey::text, k.confkey::text, k.oid, k.conparentid
from pg_catalog.pg_constraint k
where k.conrelid = any (current_setting('seedbed.tables')::oid[]) and k.contype = 'f';
select distinct 'partition', t.oid, k.confrelid
from unnest(current_setting('seedbed.tables')::oid[]) t(oid), pg_partition_tree(t.oid) p
  join pg_catalog.pg_constraint k on k.conrelid = p.relid
where p.level > 0 and k.contype = 'f' and k.conparentid = 0;
select 'trigger', t.tgrelid, t.tgtype & 6 = 6 from pg_catalog.pg_trigger t
where t.tgrelid = any (current_setting('seedbed.tables')::oid[]) and not t.tgisinternal and t.tgtype & 20 <> 0
union all select 'trigger', i.inhparent, t.tgtype & 6 = 6
from pg_catalog.pg_inherits i join pg_catalog.pg_trigger t on t.tgrelid = i.inhrelid
where i.inhparent = any (current_setting('seedbed.tables')::oid[]) and not t.tgisinternal and t.tgtype & 20 <> 0";

/// Unique indexes by name, with the columns that their expressions and conditions speak of.
const INDEXES: &str = "select i.indrelid, c.relname,
  (select json_agg(pg_get_indexdef(i.indexrelid, k, true) order by k) from generate_series(1, i.indnkeyatts) k),
  pg_get_expr(i.indpred, i.indrelid),
  (select json_agg(distinct a.attname) from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum > 0
    and (a.attnum = any (i.indkey) or exists (select from pg_catalog.pg_depend d where d.classid = 'pg_class'::regclass
      and d.objid = i.indexrelid and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)))
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indisunique and i.indisvalid and c.relname in ({names}) and i.indrelid = any (array[{tables}]::oid[])";

/// Every table there is, for "did you mean".
const KNOWN: &str =
    "select case when pg_table_is_visible(c.oid) then c.relname else n.nspname || '.' || c.relname end
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg_toast%' and c.relname not in ('seedbed_ledger', 'seedbed_environment')
order by 1";
