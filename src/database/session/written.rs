//! What a transaction wrote, as the server's own counters have it: triggers and cascades included.

use crate::plan::quote::literal;
use crate::plan::wrote::{Named, Written, Wrote};
use crate::plan::{Answer, Reach, text};

/// The SQLSTATE of [`deleted_at_most`]; a class of our own.
const DELETES_TOO_MUCH: &str = "SBD01";
/// The SQLSTATE of [`nothing_else`].
const REACHES_FURTHER: &str = "SBD02";

/// Asks for the rows written so far, by table, as the server's own counters have them, where a
/// condition holds.
pub fn count(condition: &str) -> String {
    format!(
        "select n.nspname, c.relname, pg_stat_get_xact_tuples_inserted(c.oid),
  pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where {condition} and c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_temp\\_%'
  and c.relname not in ('seedbed_ledger', 'seedbed_environment')
  and pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
    + pg_stat_get_xact_tuples_deleted(c.oid) > 0
order by 1, 2;"
    )
}

/// Asks for the files of all tables, which nobody but TRUNCATE and its like replaces.
pub const FILES: &str =
    "select c.oid::text, n.nspname, c.relname, coalesce(pg_relation_filenode(c.oid)::text, '')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_temp\\_%'
  and c.relname not in ('seedbed_ledger', 'seedbed_environment');
";

/// Asks for what a transaction has written, beside the rows: what the partitions are a part of, the nearest
/// first; which tables nobody else could touch; and whether the server counts.
const BESIDE: &str = "select 'part', n.nspname, c.relname, an.nspname, a.relname, p.place::text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral pg_partition_ancestors(c.oid) with ordinality p(oid, place)
join pg_catalog.pg_class a on a.oid = p.oid join pg_catalog.pg_namespace an on an.oid = a.relnamespace
where c.relispartition and p.oid <> c.oid order by c.oid, p.place;
select 'locked', l.relation::text from pg_catalog.pg_locks l
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and l.granted;
select 'track_counts', current_setting('track_counts');
";

/// Lets deferred triggers do their work, and asks for all that was written.
pub fn everything() -> String {
    format!("set constraints all immediate;\n{}\n{FILES}{BESIDE}", count("true"))
}

/// Reads the answer to [`FILES`] among others.
pub fn files(answer: &Answer) -> Vec<(String, Named, String)> {
    let files = answer.iter().filter(|row| row.len() == 4);
    let own = |row: &[Option<String>], at| text(row, at).to_owned();
    files.map(|row| (own(row, 0), (own(row, 1), own(row, 2)), own(row, 3))).collect()
}

/// Reads the answer to [`everything`], with what was counted and which files there were before.
pub fn read_everything(answer: &Answer, before: &[Wrote], earlier: &[(String, Named, String)]) -> Written {
    let of = |tag: &'static str| answer.iter().filter(move |row| row.len() != 5 && text(row, 0) == tag);
    let own = |row: &[Option<String>], at| text(row, at).to_owned();
    let now = files(answer);
    let is_remade = |(oid, _, file): &&(String, Named, String)| {
        // What others do to a table meanwhile is theirs: then we have no such lock on it.
        of("locked").any(|row| text(row, 1) == oid)
            && !now.iter().any(|(other, _, their)| (other, their) == (oid, file))
    };
    Written {
        tables: since(read(answer), before),
        parts: of("part").map(|row| ((own(row, 1), own(row, 2)), (own(row, 3), own(row, 4)))).collect(),
        remade: earlier.iter().filter(is_remade).map(|(_, name, _)| name.clone()).collect(),
        is_counted: of("track_counts").any(|row| text(row, 1) == "on"),
    }
}

/// Whether the transaction has written anything; where it has not, the tables are not looked at.
pub const HAS_WRITTEN: &str = "pg_current_xact_id_if_assigned() is not null";

/// Reads the answer to [`count`] among others.
pub fn read(answer: &Answer) -> Vec<Wrote> {
    let counted = answer.iter().filter(|row| row.len() == 5);
    let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
    counted
        .map(|row| Wrote {
            schema: row[0].clone().unwrap_or_default(),
            table: row[1].clone().unwrap_or_default(),
            rows: [number(&row[2]), number(&row[3]), number(&row[4])],
        })
        .collect()
}

/// What was written since an earlier count, which may still hold what former transactions wrote.
pub fn since(after: Vec<Wrote>, before: &[Wrote]) -> Vec<Wrote> {
    let own = after.into_iter().filter_map(|mut wrote| {
        if let Some(earlier) =
            before.iter().find(|it| (&it.schema, &it.table) == (&wrote.schema, &wrote.table))
        {
            for (rows, earlier) in wrote.rows.iter_mut().zip(earlier.rows) {
                *rows = rows.saturating_sub(earlier);
            }
        }
        (wrote.rows != [0; 3]).then_some(wrote)
    });
    own.collect()
}

/// Adds counts to others.
pub fn add(counts: &mut Vec<Wrote>, more: Vec<Wrote>) {
    for wrote in more {
        let known = counts.iter_mut().find(|it| (&it.schema, &it.table) == (&wrote.schema, &wrote.table));
        match known {
            Some(known) => known.rows.iter_mut().zip(wrote.rows).for_each(|(rows, more)| *rows += more),
            None => counts.push(wrote),
        }
    }
}

/// Raises an error when rows were updated or deleted since an earlier count that the step itself did not
/// touch: by a cascade, or by a trigger.
pub fn nothing_else(before: &[Wrote], reach: &[Reach]) -> String {
    let none = "(null::text, null::text, 0, 0)".to_owned();
    let earlier = before.iter().map(|wrote| {
        format!(
            "({}, {}, {}, {})",
            literal(&wrote.schema),
            literal(&wrote.table),
            wrote.rows[1],
            wrote.rows[2]
        )
    });
    let earlier: Vec<String> = std::iter::once(none).chain(earlier).collect();
    let own = reach.iter().map(|it| format!("({}::oid, {}, {})", it.table, it.updated, it.deleted));
    let own: Vec<String> = std::iter::once("(0::oid, 0, 0)".to_owned()).chain(own).collect();
    format!(
        "do $$ declare others text; begin
  select string_agg(w.changed || ' of ' || w.name, ', ') into others from (
    select c.root::regclass::text as name, sum(c.updated + c.deleted) - max(o.updated + o.deleted) as changed from (
      select coalesce(pg_partition_root(c.oid), c.oid) as root,
        pg_stat_get_xact_tuples_updated(c.oid) - coalesce(e.updated, 0) as updated,
        pg_stat_get_xact_tuples_deleted(c.oid) - coalesce(e.deleted, 0) as deleted
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join (values {}) e(schema, name, updated, deleted) on e.schema = n.nspname and e.name = c.relname
      where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_temp\\_%'
    ) c left join (select coalesce(pg_partition_root(v.oid), v.oid) as oid, sum(v.updated) as updated, sum(v.deleted) as deleted from (values {}) v(oid, updated, deleted) group by 1) l on l.oid = c.root
    cross join lateral (select coalesce(l.updated, 0) as updated, coalesce(l.deleted, 0) as deleted) o
    group by c.root having sum(c.updated + c.deleted) > max(o.updated + o.deleted)
  ) w;
  if others is not null then
    raise exception 'deleting these rows also changes or deletes others: %', others
      using errcode = '{REACHES_FURTHER}', hint = 'if that is meant, say `cascade: allow` in the fixture';
  end if;
end $$;\n",
        earlier.join(", "),
        own.join(", ")
    )
}

/// Raises an error when more rows than this were deleted since an earlier count.
pub fn deleted_at_most(before: &[Wrote], most: u64) -> String {
    let before: u64 = before.iter().map(|wrote| wrote.rows[2]).sum();
    format!(
        "do $$ declare n bigint; begin
  select coalesce(sum(pg_stat_get_xact_tuples_deleted(c.oid)), 0) - {before} into n
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_temp\\_%';
  if n > {most} then
    raise exception 'the step deletes % rows, and at most {most} may go', n
      using errcode = '{DELETES_TOO_MUCH}', hint = 'say more exactly which rows are meant, or raise the limit with --max-delete';
  end if;
end $$;\n"
    )
}
