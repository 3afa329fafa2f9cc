//! Reads what the server's catalog says of some tables, in one round trip.
//!
//! Many small queries in one message, and not a large one: a new server process plans each with cold
//! caches, and planning the large one took twice as long as all of these together.

use std::collections::HashMap;

use super::error::Error;
use super::session::Session;
use crate::plan::Answer;
use crate::plan::catalog::{Catalog, Column, ForeignKey, Key, Table};
use crate::plan::quote::{identifier, literal, qualified, table_parts};
use crate::plan::text;

/// The catalog of the named tables and of those their foreign keys lead to. A name that stands for
/// no table is simply not among the catalog's names.
pub fn read(session: &mut Session, names: &[&str]) -> Result<Catalog, Error> {
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let wanted: Vec<String> = names
        .iter()
        .map(|name| {
            let quoted = table_parts(name).map(|(schema, table)| match schema {
                Some(schema) => qualified(&schema, &table),
                None => identifier(&table),
            });
            let quoted = quoted.map_or("null".to_owned(), |quoted| literal(&quoted));
            format!("({}, to_regclass({quoted})::oid)", literal(name))
        })
        .collect();
    let sql = READ.replace("{wanted}", &wanted.join(", "));
    let answer = session.simple(sql, session.limits.statement)?;
    let unread = || Error::Unfit("the catalog cannot be read".to_owned());
    let mut catalog = assemble(&answer).ok_or_else(unread)?;
    catalog.tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    if catalog.names.len() < names.len() {
        let answer = session.simple(KNOWN.to_owned(), session.limits.statement)?;
        catalog.known = answer.iter().map(|row| text(row, 0).to_owned()).collect();
    }
    Ok(catalog)
}

/// Rows of all queries, each with its tag, into the catalog; `None` if they are not of that form.
fn assemble(answer: &Answer) -> Option<Catalog> {
    let mut catalog = Catalog::default();
    let mut columns: HashMap<(u32, i16), String> = HashMap::new();
    let of = |tag: &'static str| answer.iter().filter(move |row| text(row, 0) == tag);
    for row in of("name") {
        catalog.names.insert(text(row, 1).to_owned(), text(row, 2).parse().ok()?);
    }
    for row in of("table") {
        catalog.tables.push(Table {
            oid: text(row, 1).parse().ok()?,
            schema: text(row, 2).to_owned(),
            name: text(row, 3).to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            has_insert_trigger: false,
        });
    }
    for row in of("column") {
        let table = table(&mut catalog, text(row, 1))?;
        let (modifier, sort): (i64, &str) = (text(row, 6).parse().ok()?, text(row, 13));
        let column = Column {
            name: text(row, 3).to_owned(),
            type_name: text(row, 4).to_owned(),
            declared: text(row, 5).to_owned(),
            // `varchar(n)` and `char(n)`, whose modifier counts four more.
            length_max: (matches!(sort, "1042" | "1043") && modifier > 4).then(|| (modifier - 4) as usize),
            category: text(row, 7).to_owned(),
            not_null: text(row, 8) == "t",
            default: row.get(9)?.clone(),
            identity: text(row, 10).to_owned(),
            generated: text(row, 11) == "t",
            sequence: row.get(12)?.clone(),
            labels: None,
        };
        columns.insert((table.oid, text(row, 2).parse().ok()?), column.name.clone());
        table.columns.push(column);
    }
    for row in of("label") {
        let column =
            table(&mut catalog, text(row, 1))?.columns.iter_mut().find(|it| it.name == text(row, 2))?;
        column.labels.get_or_insert_default().push(text(row, 3).to_owned());
    }
    let named = |oid: u32, numbers: &str| -> Option<Vec<String>> {
        let numbers = numbers.trim_matches(['{', '}']).split([',', ' ']);
        numbers.map(|number| columns.get(&(oid, number.parse().ok()?)).cloned()).collect()
    };
    for row in of("key") {
        let table = table(&mut catalog, text(row, 1))?;
        let mut names = named(table.oid, text(row, 4))?;
        names.truncate(text(row, 5).parse().ok()?); // What `include` adds is no part of the key.
        table.keys.push(Key { name: text(row, 2).to_owned(), columns: names, primary: text(row, 3) == "t" });
    }
    for row in of("foreign_key") {
        let table = table(&mut catalog, text(row, 1))?;
        let parent = text(row, 3).parse().ok()?;
        table.foreign_keys.push(ForeignKey {
            name: text(row, 2).to_owned(),
            columns: named(table.oid, text(row, 4))?,
            parent,
            parent_columns: named(parent, text(row, 5))?,
        });
    }
    for row in of("trigger") {
        table(&mut catalog, text(row, 1))?.has_insert_trigger = true;
    }
    Some(catalog)
}

fn table<'c>(catalog: &'c mut Catalog, oid: &str) -> Option<&'c mut Table> {
    let oid: u32 = oid.parse().ok()?;
    catalog.tables.iter_mut().find(|table| table.oid == oid)
}

/// The first query finds the tables and keeps their ids for the others, as a setting that ends with the
/// message. `format_type(type, -1)` names a type so that a cast to it cuts nothing;
/// `format_type(type, NULL)` would name `character`, which means `character(1)`.
const READ: &str = "with recursive wanted(name, oid) as (values {wanted}),
reached(oid) as (
  select w.oid from wanted w where w.oid is not null
  union
  select k.confrelid from reached r join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype = 'f'
)
select set_config('seedbed.tables', coalesce((select string_agg(oid::text, ',') from reached), '0'), true);
select 'name', w.name, w.oid from (values {wanted}) w(name, oid) where w.oid is not null;
select 'table', c.oid, n.nspname, c.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]);
select 'column', a.attrelid, a.attnum, a.attname, format_type(a.atttypid, -1), format_type(a.atttypid, a.atttypmod),
  a.atttypmod, t.typcategory, a.attnotnull,
  case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end, a.attidentity, a.attgenerated <> '',
  case when a.attidentity <> '' then pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) end, a.atttypid
from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum;
select 'label', a.attrelid, a.attname, e.enumlabel
from pg_catalog.pg_attribute a join pg_catalog.pg_enum e on e.enumtypid = a.atttypid
where a.attrelid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]) and a.attnum > 0
order by a.attrelid, a.attnum, e.enumsortorder;
select 'key', i.indrelid, c.relname, i.indisprimary, i.indkey::text, i.indnkeyatts
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indrelid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]) and i.indisunique
  and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null
order by i.indisprimary desc, c.relname;
select 'foreign_key', k.conrelid, k.conname, k.confrelid, k.conkey::text, k.confkey::text
from pg_catalog.pg_constraint k
where k.conrelid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]) and k.contype = 'f' and k.conparentid = 0
order by k.conname;
select 'trigger', t.tgrelid from pg_catalog.pg_trigger t
where t.tgrelid = any (string_to_array(current_setting('seedbed.tables'), ',')::oid[]) and not t.tgisinternal and t.tgtype & 6 = 6";

/// Every table there is, for "did you mean".
const KNOWN: &str =
    "select case when pg_table_is_visible(c.oid) then c.relname else n.nspname || '.' || c.relname end
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg_toast%' and c.relname not in ('seedbed_ledger', 'seedbed_environment')
order by 1";
