//! Reads what the server's catalog says of some tables, in one round trip.

use super::error::Error;
use super::session::Session;
use crate::plan::Statement;
use crate::plan::catalog::Catalog;
use crate::plan::quote::{identifier, qualified, table_parts};

/// The catalog of the named tables and of those their foreign keys lead to. A name that stands for
/// no table is simply not among the catalog's names.
pub fn read(session: &mut Session, names: &[&str]) -> Result<Catalog, Error> {
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let quoted = names.iter().map(|name| {
        table_parts(name).map(|(schema, table)| match schema {
            Some(schema) => qualified(&schema, &table),
            None => identifier(&table),
        })
    });
    let mut statement = Statement { sql: READ.to_owned(), ..Statement::default() };
    let quoted: Vec<Option<String>> = quoted.collect();
    statement.bind_list(names.iter().map(|name| Some((*name).to_owned())).collect());
    statement.bind_list(quoted);
    let answer = session.query(&statement)?;
    let json = answer.first().and_then(|row| row.first()).and_then(Option::as_deref).unwrap_or("{}");
    serde_json::from_str(json).map_err(|error| Error::Unfit(format!("the catalog cannot be read: {error}")))
}

/// `format_type(type, -1)` names a type so that a cast to it cuts nothing; `format_type(type, NULL)`
/// would name `character`, which means `character(1)`.
const READ: &str = r#"with recursive
wanted as (
  select w.name, to_regclass(w.quoted)::oid as oid
  from unnest($1::text[], $2::text[]) as w(name, quoted)
),
reached(oid) as (
  select w.oid from wanted w where w.oid is not null
  union
  select k.confrelid from reached r join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype = 'f'
)
select json_build_object(
  'names', (select coalesce(json_object_agg(w.name, w.oid::int8), '{}') from wanted w where w.oid is not null),
  'known', case when exists (select from wanted w where w.oid is null) then (
    select coalesce(json_agg(case when pg_table_is_visible(c.oid) then c.relname else n.nspname || '.' || c.relname end order by 1), '[]')
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
      and n.nspname not like 'pg_toast%'
  ) else '[]' end,
  'tables', (select coalesce(json_agg(json_build_object(
    'oid', c.oid::int8,
    'schema', n.nspname,
    'name', c.relname,
    'has_insert_trigger', exists (
      select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and t.tgtype & 6 = 6),
    'columns', (
      select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'type_name', format_type(a.atttypid, -1),
        'declared', format_type(a.atttypid, a.atttypmod),
        'length_max', case when a.atttypid in (1042, 1043) and a.atttypmod > 4 then a.atttypmod - 4 end,
        'category', t.typcategory,
        'not_null', a.attnotnull,
        'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
        'identity', a.attidentity,
        'generated', a.attgenerated <> '',
        'sequence', case when a.attidentity <> '' then pg_get_serial_sequence(c.oid::regclass::text, a.attname) end,
        'labels', case when t.typtype = 'e' then (
          select json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid) end
      ) order by a.attnum), '[]')
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ),
    'keys', (
      select coalesce(json_agg(json_build_object(
        'name', ic.relname,
        'primary', i.indisprimary,
        'columns', (
          select json_agg(a.attname order by k.at)
          from unnest(i.indkey::int2[]) with ordinality as k(attnum, at)
          join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
          where k.at <= i.indnkeyatts)
      ) order by i.indisprimary desc, ic.relname), '[]')
      from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
      where i.indrelid = c.oid and i.indisunique and i.indimmediate and i.indisvalid
        and i.indpred is null and i.indexprs is null
    ),
    'foreign_keys', (
      select coalesce(json_agg(json_build_object(
        'name', k.conname,
        'parent', k.confrelid::int8,
        'columns', (select json_agg(a.attname order by u.at) from unnest(k.conkey) with ordinality as u(attnum, at)
          join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum),
        'parent_columns', (select json_agg(a.attname order by u.at) from unnest(k.confkey) with ordinality as u(attnum, at)
          join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum)
      ) order by k.conname), '[]')
      from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
    )
  ) order by n.nspname, c.relname), '[]')
  from reached r join pg_catalog.pg_class c on c.oid = r.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace)
)::text"#;
