//! Problems: what keeps the whole statement from writing, by row.

use std::collections::BTreeSet;

use super::identify::{key_values, of_values, same_key, value_of};
use super::load::{Group, Load};
use super::lookup::{Find, Lookups, Operand};
use super::remove;
use super::stage::{changed, leaves};
use crate::plan::catalog::Column;
use crate::plan::quote::{identifier, literal};

/// The most rows of one kind that are told of by name.
pub const ROWS_SHOWN_MAX: usize = 20;
/// The most parent rows that are offered instead of one that was not found.
const CANDIDATES_MAX: usize = 200;

/// `problems(what, load, n, detail, offered)`: what keeps the whole statement from writing.
/// `scopes` are the conditions of the loads' scopes.
pub fn problems(loads: &[Load], scopes: &[Option<String>], lookups: &Lookups) -> String {
    possible(loads, scopes, lookups).unwrap_or_else(|| {
        expression(&["select null::text, 0, 0, null::text, null::text where false".to_owned()])
    })
}

/// The same, or nothing where nothing can be wrong.
pub fn possible(loads: &[Load], scopes: &[Option<String>], lookups: &Lookups) -> Option<String> {
    let mut selects = Vec::new();
    for (load, scope) in loads.iter().zip(scopes) {
        selects.extend(scope.as_ref().and_then(|scope| remove::too_many(load, scope)));
    }
    for load in loads {
        for (group_number, group) in load.groups.iter().enumerate() {
            for number in inexact_leaves(group) {
                selects.push(format!(
                    "select 'inexact', {}, x.n, '{number}', x.l{number} from stage_{} x where x.l{number} is not null",
                    load.number, group.suffix
                ));
            }
            if group.is_removed {
                selects.extend(several(load, group, lookups));
                let finds = lookups.groups[&group.suffix].finds.iter();
                selects.extend(finds.map(|find| {
                    format!(
                        "select 'ambiguous', {}, x.n, '{group_number}.{1}', null from resolved_{2} x where x.r{1}_n > 1",
                        load.number, find.number, group.suffix
                    )
                }));
                continue;
            }
            for find in &lookups.groups[&group.suffix].finds {
                selects.push(unfound(load, group, group_number, find, lookups));
                selects.extend(changing(load, group, group_number, find, (loads, lookups)));
            }
            if let Some(predicate) = load.index.and_then(|index| index.predicate.as_ref()) {
                let values = key_values(load, group, lookups, "x", false);
                selects.push(format!(
                    "select 'unindexed', {}, x.n, null, {} from resolved_{} x where {} is not true",
                    load.number,
                    literal(predicate),
                    group.suffix,
                    of_values(predicate, &values)
                ));
            }
            if load.updates.is_some() {
                selects.extend(several(load, group, lookups));
                selects.extend(fixed(load, group, lookups));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for load in loads {
        let mut key = load.key.clone();
        key.sort_unstable();
        let index = load.index.map(|index| &index.name);
        if !key.is_empty() && seen.insert((load.table.oid, key, index)) {
            selects.extend(duplicates(loads, load, lookups));
        }
    }
    (!selects.is_empty()).then(|| expression(&selects))
}

fn expression(selects: &[String]) -> String {
    format!(
        "problems(what, load, n, detail, offered) as materialized (\n  {}\n)",
        selects.join("\n  union all\n  ")
    )
}

/// The problems of any statement, as part of its answer.
pub fn problems_select(loads: &[Load]) -> String {
    let order = match loads {
        [only] if only.groups.iter().all(Group::is_one_row) && only.groups.len() == 1 => "",
        _ => " order by load, n",
    };
    format!("(select what, load::text, n::text, detail, offered from problems{order} limit {ROWS_SHOWN_MAX})")
}

/// The numbers of a group's staged columns that say what a value would become.
pub fn inexact_leaves(group: &Group) -> Vec<usize> {
    if group.file.is_some() {
        return Vec::new(); // They were looked at on their way.
    }
    let leaves = leaves(group.targets()).into_iter().enumerate();
    leaves.filter(|(_, leaf)| changed(leaf, "", "").is_some()).map(|(at, _)| at + 1).collect()
}

/// Rows of the group for which a lookup found none or several.
fn unfound(load: &Load, group: &Group, group_number: usize, find: &Find, lookups: &Lookups) -> String {
    // When an inner lookup fails, the outer one must; only the inner one is told.
    let inner_held: String = find
        .conditions
        .iter()
        .filter_map(|(_, operand)| match operand {
            Operand::Found(number, _) => Some(format!(" and x.r{number}_n = 1")),
            Operand::Leaf(_) | Operand::Null | Operand::Made(_) => None,
        })
        .collect();
    let offered = match find.conditions.as_slice() {
        [(column, Operand::Leaf(_))] => {
            let column = identifier(&column.name);
            let mut from = format!("select p.{column}::text from {} p", find.parent.sql());
            if lookups.needed.contains_key(&find.parent.oid) {
                from.push_str(&format!(
                    " union all select p.{column}::text from added_{} p where p.is_new",
                    find.parent.oid
                ));
            }
            format!(
                "case when x.r{}_n = 0 then array_to_json(array({from} limit {CANDIDATES_MAX}))::text end",
                find.number
            )
        }
        _ => "null::text".to_owned(),
    };
    let refers = match group.file.is_some() {
        true => format!(" and ({})", refers(find, &lookups.groups[&group.suffix].finds)),
        false => String::new(),
    };
    format!(
        "select case when x.r{0}_n = 0 then 'missing' else 'ambiguous' end, {1}, x.n, '{group_number}.{0}', {offered}\n  from resolved_{2} x where {3}x.r{0}_n <> 1{inner_held}{refers}",
        find.number,
        load.number,
        group.suffix,
        only_new(load)
    )
}

/// Rows that refer to a parent by what this very statement changes in it: by what it was or by what it will be.
/// A lookup sees the table as it was, and another run would see it as it is then.
fn changing(
    load: &Load,
    group: &Group,
    group_number: usize,
    find: &Find,
    (loads, lookups): (&[Load], &Lookups),
) -> Vec<String> {
    let mut selects = Vec::new();
    let is_updated = |parent: &&Load| parent.table.oid == find.parent.oid && parent.updates.is_some();
    for parent in loads.iter().filter(is_updated) {
        for rows in parent.groups.iter().filter(|rows| !rows.is_removed) {
            for (column, operand) in &find.conditions {
                let sought = match operand {
                    Operand::Null => continue,
                    Operand::Leaf(number) => format!("x.c{number}"),
                    Operand::Made(number) => format!("x.e{number}"),
                    Operand::Found(number, at) => format!("x.r{number}_v{at}"),
                };
                let Some(value) = value_of(parent, rows, lookups, &column.name) else { continue };
                if !parent.is_updated(rows, column) {
                    continue;
                }
                let (was, will) = (format!("t.{}", identifier(&column.name)), format!("y.{value}"));
                let sought = column.comparable(&sought);
                selects.push(format!(
                    "select 'changing', {}, x.n, '{group_number}.{}', null from resolved_{} x where {}exists (\n    select from resolved_{} y join {} t on {}\n    where not y.is_new and {} and ({} = {sought} or {} = {sought}))",
                    load.number,
                    find.number,
                    group.suffix,
                    only_new(load),
                    rows.suffix,
                    parent.table.sql(),
                    same_key(parent, rows, lookups, "y", false),
                    column.differs(&was, &will),
                    column.comparable(&was),
                    column.comparable(&will),
                ));
            }
        }
    }
    selects
}

/// The condition under which a file's row refers to anybody: not all of what would name its parent is NULL.
pub fn refers(find: &Find, finds: &[Find]) -> String {
    let leaves = named_by(find, finds);
    let given: Vec<String> = leaves.iter().map(|leaf| format!("x.c{leaf} is not null")).collect();
    if given.is_empty() { "true".to_owned() } else { given.join(" or ") }
}

/// The numbers of the staged values that a lookup and those within it look for.
pub fn named_by(find: &Find, finds: &[Find]) -> Vec<usize> {
    let operands = find.conditions.iter().map(|(_, operand)| operand);
    operands
        .flat_map(|operand| match operand {
            Operand::Leaf(number) => vec![*number],
            Operand::Null | Operand::Made(_) => Vec::new(),
            Operand::Found(number, _) => finds
                .iter()
                .find(|it| it.number == *number)
                .map_or(Vec::new(), |inner| named_by(inner, finds)),
        })
        .collect()
}

/// The condition on rows whose values are written: all of them where those that are there are updated.
fn only_new(load: &Load) -> &'static str {
    if load.updates.is_some() { "" } else { "x.is_new and " }
}

/// Rows that would update several, when nothing keeps the key unique. There may be no index on it, so all are
/// looked for at once.
fn several(load: &Load, group: &Group, lookups: &Lookups) -> Option<String> {
    (!load.has_unique_key()).then(|| {
        format!(
            "select 'several', {}, x.n, null, null from resolved_{} x join {} t on {}\n  where not x.is_new group by x.n having count(*) > 1",
            load.number,
            group.suffix,
            load.table.sql(),
            same_key(load, group, lookups, "x", false)
        )
    })
}

/// Values that differ in a column that no update may name.
fn fixed(load: &Load, group: &Group, lookups: &Lookups) -> Vec<String> {
    let given = lookups.groups[&group.suffix].given.iter();
    let columns = given.filter_map(|(name, _)| load.table.column(name));
    let fixed = columns.filter(|column| column.identity == "a" && load.is_updated(group, column));
    fixed
        .filter_map(|column| {
            let value = value_of(load, group, lookups, &column.name)?;
            let own = format!("t.{}", identifier(&column.name));
            Some(format!(
                "select 'fixed', {}, x.n, {}, {} from resolved_{} x join {} t on {}\n  where not x.is_new and {}",
                load.number,
                literal(&column.name),
                load.shown(group, column),
                group.suffix,
                load.table.sql(),
                same_key(load, group, lookups, "x", false),
                column.differs(&own, &format!("x.{value}"))
            ))
        })
        .collect()
}

/// Rows for the table of a load, whichever load they are in, that have the same values in its key
/// as one before them. Rows of other loads alone are told apart by their own keys.
fn duplicates(loads: &[Load], keyed: &Load, lookups: &Lookups) -> Option<String> {
    let sorted = |load: &Load| {
        let mut key: Vec<String> = load.key.iter().map(|name| (*name).to_owned()).collect();
        key.sort_unstable();
        key
    };
    let of_table = || loads.iter().filter(|load| load.table.oid == keyed.table.oid);
    let groups = || of_table().flat_map(|load| &load.groups);
    let rows: usize = groups().map(|group| group.rows.len()).sum();
    if rows < 2 && !groups().any(|group| group.file.is_some()) {
        return None; // Looking for a second one costs more than the rest of the statement.
    }
    let mut selects = Vec::new();
    for load in of_table() {
        let is_own_key = sorted(load) == sorted(keyed);
        for group in &load.groups {
            if let Some(index) = keyed.index {
                if load.number == keyed.number {
                    let values = key_values(load, group, lookups, "x", false);
                    let parts = index.parts.iter().enumerate();
                    let parts =
                        parts.map(|(at, part)| format!("{} as k{}", of_values(part, &values), at + 1));
                    selects.push(format!(
                        "select {} as load, x.n, true as is_own, {} from new_{} x where {}true",
                        load.number,
                        parts.collect::<Vec<_>>().join(", "),
                        group.suffix,
                        only_new(load)
                    ));
                }
                continue;
            }
            let values = keyed.key.iter().enumerate().map(|(at, name)| {
                let column = load.table.column(name)?;
                let value = key_value(load, group, lookups, column, is_own_key)?;
                Some(format!(
                    "{} as k{}",
                    column.comparable(&format!("{value}::{}", column.type_name)),
                    at + 1
                ))
            });
            // A row that leaves a part of the key to the server is like no other.
            if let Some(values) = values.collect::<Option<Vec<_>>>() {
                selects.push(format!(
                    "select {} as load, x.n, {is_own_key} as is_own, {} from new_{} x where {}true",
                    load.number,
                    values.join(", "),
                    group.suffix,
                    only_new(load)
                ));
            }
        }
    }
    if selects.is_empty() {
        return None;
    }
    let count = keyed.index.map_or(keyed.key.len(), |index| index.parts.len());
    let keys: Vec<String> = (1..=count).map(|at| format!("k{at}")).collect();
    Some(format!(
        "select 'duplicate', d.load, d.n, d.first, null from (\n    select load, n, row_number() over w as at, first_value(load || '.' || n) over w as first,\n      bool_or(is_own) over (partition by {1}) as is_own\n    from ({0}) k window w as (partition by {1} order by load, n)\n  ) d where d.at > 1 and d.is_own",
        selects.join(" union all "),
        keys.join(", "),
    ))
}

/// What a row of the group has in a column of a key, if that can be known.
fn key_value(
    load: &Load,
    group: &Group,
    lookups: &Lookups,
    column: &Column,
    is_own_key: bool,
) -> Option<String> {
    match (value_of(load, group, lookups, &column.name), &column.default) {
        (Some(value), _) => Some(format!("x.{value}")),
        (None, Some(default)) if column.is_default_fixed => Some(format!("({default})")),
        (None, None) if is_own_key => Some("null".to_owned()),
        _ => None,
    }
}
