//! Identify: which rows are new, and the ids of new rows that others refer to.

use super::load::{Group, Load, Rule};
use super::lookup::{Lookups, Operand};
use super::made;
use crate::plan::catalog::{Column, Table};
use crate::plan::quote::{identifier, literal};

/// How many rows a file is taken to have, where that is not known yet.
const FILE_ROWS: usize = 10_000_000;

/// Whether rows are written, or it is only looked what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// They are written.
    Write,
    /// It is looked.
    Look,
}

/// For each group `keyed_…`: the staged rows with their early lookups and `is_new`.
pub fn keyed(load: &Load, lookups: &Lookups) -> Vec<String> {
    let mut expressions = Vec::new();
    if load.rule == Rule::TableIsEmpty {
        expressions.push(format!(
            "empty_{} as materialized (\n  select not exists (select from {}) as is_empty\n)",
            load.number,
            load.table.sql()
        ));
    }
    for group in &load.groups {
        expressions.push(format!(
            "keyed_{0} as materialized (\n  select s.*{1}, {2} as is_new\n  from stage_{0} s{3}\n)",
            group.suffix,
            lookups.outputs(group, true),
            is_new(load, group, lookups),
            lookups.joins(group, "s", true),
        ));
    }
    expressions
}

/// For each group of one table `new_…`: the same with the values that others look for and nobody
/// gave. Before the first of them is made, sequences are raised above the values that were given.
///
/// Who only looks draws no number from a sequence, and evaluates no default that might do so; negative
/// numbers stand for what would be drawn.
pub fn numbered(loads: &[Load], table: &Table, lookups: &Lookups, aim: Aim) -> Vec<String> {
    let raised = raised(loads, table, lookups).filter(|_| aim == Aim::Write);
    let behind = match raised {
        Some(_) => format!(" cross join (select count(raised) from raised_{}) r", table.oid),
        None => String::new(),
    };
    let mut expressions: Vec<String> = raised.into_iter().collect();
    let mut before = 0;
    for load in loads.iter().filter(|load| load.table.oid == table.oid) {
        for group in &load.groups {
            let mut assigned = String::new();
            for (number, column) in assigned_columns(load, group, lookups).iter().enumerate() {
                let stand_in = (aim == Aim::Look).then(|| stand_in(column, before)).flatten();
                let value = stand_in.unwrap_or_else(|| assigned_value(column));
                assigned.push_str(&format!(", case when k.is_new then {value} end as a{}", number + 1));
            }
            let order = if group.is_one_row() { "" } else { "\n  order by k.n" };
            assigned.push_str(&made::columns(load, group, aim));
            expressions.push(format!(
                "new_{0} as materialized (\n  select k.*{assigned}\n  from keyed_{0} k{behind}{order}\n)",
                group.suffix
            ));
        }
        before += match load.groups.iter().any(Group::is_in_file) {
            true => FILE_ROWS,
            false => load.places.written().len(),
        };
    }
    expressions
}

/// What stands for a value that the server would make up, if it is a number or text: a number that no other
/// new row of the table has. It is as small as can be, as the columns that refer to it may be small.
fn stand_in(column: &Column, before: usize) -> Option<String> {
    let is_number = matches!(column.type_name.as_str(), "smallint" | "integer" | "bigint" | "numeric");
    let is_made_up = column.is_assigned_by_server() && (is_number || column.is_text());
    is_made_up.then(|| format!("(-(k.n + {before}))::{}", column.type_name))
}

/// `raised_…`: raises the sequences of a table's columns to the highest value that a new row gives,
/// and never lowers one. Values that a sequence does not reach are none of its business.
fn raised(loads: &[Load], table: &Table, lookups: &Lookups) -> Option<String> {
    let mut selects = Vec::new();
    for column in &table.columns {
        let Some(sequence) = &column.sequence else { continue };
        let mut given = Vec::new();
        for load in loads.iter().filter(|load| load.table.oid == table.oid) {
            for group in &load.groups {
                let own = lookups.groups[&group.suffix].given.iter().find(|(name, _)| *name == column.name);
                if let Some((_, Operand::Leaf(number))) = own {
                    given.push(format!(
                        "select k.c{number}::int8 as id from keyed_{} k where k.is_new",
                        group.suffix
                    ));
                }
            }
        }
        if !given.is_empty() {
            selects.push(raise(sequence, &given.join(" union all ")));
        }
    }
    let selects = (!selects.is_empty()).then(|| selects.join("\n  union all\n  "))?;
    Some(format!("raised_{} as materialized (\n  {selects}\n)", table.oid))
}

/// Raises a sequence to the highest `id` among rows, if it is lower and reaches that far. It is looked at when
/// that is known, and not before: others draw from it meanwhile.
pub fn raise(sequence: &str, rows: &str) -> String {
    let name = literal(sequence);
    format!(
        "select case when g.most > (select case when s.is_called then s.last_value else s.last_value - 1 end from {sequence} s where g.most is not null) then setval({name}::regclass, g.most) end as raised\n  from (\n    select max(g.id) as most from ({rows}) g\n    join pg_catalog.pg_sequence q on q.seqrelid = {name}::regclass and q.seqincrement > 0 and g.id between q.seqmin and q.seqmax\n  ) g"
    )
}

/// `added_…`: the rows of one table that lookups search beside the table itself, if any do.
pub fn added(loads: &[Load], table: &Table, lookups: &Lookups) -> Option<String> {
    let needed = lookups.needed.get(&table.oid)?;
    let columns = |value: &dyn Fn(&str) -> Option<String>| {
        let column = |name: &&str| {
            let value = value(name).map_or("null".to_owned(), |value| format!("x.{value}"));
            let type_name = table.column(name).map_or("text", |column| column.type_name.as_str());
            format!("{value}::{type_name} as {}", identifier(name))
        };
        needed.iter().map(column).collect::<Vec<_>>().join(", ")
    };
    let mut selects = Vec::new();
    for load in loads.iter().filter(|load| load.table.oid == table.oid) {
        for group in &load.groups {
            let columns = columns(&|name| value_of(load, group, lookups, name));
            selects.push(format!("select x.is_new, {columns} from new_{} x", group.suffix));
        }
    }
    if selects.is_empty() {
        selects.push(format!("select false as is_new, {} where false", columns(&|_| None)));
    }
    Some(format!("added_{} as materialized (\n  {}\n)", table.oid, selects.join("\n  union all\n  ")))
}

/// The column of `new_…` that holds a column's value, when the group gives it or it was assigned.
pub fn value_of(load: &Load, group: &Group, lookups: &Lookups, name: &str) -> Option<String> {
    let given = lookups.groups[&group.suffix].given.iter().find(|(column, _)| *column == name);
    if let Some((_, operand)) = given {
        return Some(match operand {
            Operand::Null => return None,
            Operand::Leaf(number) => format!("c{number}"),
            Operand::Made(number) => format!("e{number}"),
            Operand::Found(number, at) => format!("r{number}_v{at}"),
        });
    }
    let assigned = assigned_columns(load, group, lookups);
    assigned.iter().position(|column| column.name == name).map(|at| format!("a{}", at + 1))
}

/// The columns that lookups need, the group does not give, and the server would make up.
pub fn assigned_columns<'c>(load: &Load<'c>, group: &Group, lookups: &Lookups) -> Vec<&'c Column> {
    let Some(needed) = lookups.needed.get(&load.table.oid) else { return Vec::new() };
    let given = &lookups.groups[&group.suffix].given;
    let is_left_out = |column: &&Column| {
        needed.contains(column.name.as_str())
            && !given.iter().any(|(name, _)| *name == column.name)
            && !column.generated
            && (column.default.is_some() || !column.identity.is_empty())
    };
    load.table.columns.iter().filter(is_left_out).collect()
}

fn assigned_value(column: &Column) -> String {
    match (&column.sequence, &column.default) {
        (Some(sequence), _) if !column.identity.is_empty() => {
            format!("nextval({}::regclass)", literal(sequence))
        }
        (_, Some(default)) => format!("({default})"),
        (_, None) => "null".to_owned(),
    }
}

fn is_new(load: &Load, group: &Group, lookups: &Lookups) -> String {
    match load.rule {
        _ if group.is_removed => "false".to_owned(),
        Rule::Always | Rule::Never => "true".to_owned(),
        Rule::TableIsEmpty => format!("(select is_empty from empty_{})", load.number),
        Rule::KeyIsMissing => {
            let same = same_key(load, group, lookups, "s", true);
            // A row whose parent is not there is new, whatever NULL may be equal to: its parent is missed.
            let finds = lookups.of_key(load, group);
            let unfound: String = finds.map(|find| format!(" or {} = 0", lookups.count(find))).collect();
            format!("(not exists (select from {} t where {same}){unfound})", load.table.sql())
        }
    }
}

/// The condition under which the table's row `t` is the group's row `alias`.
pub fn same_key(load: &Load, group: &Group, lookups: &Lookups, alias: &str, joining_early: bool) -> String {
    let values = key_values(load, group, lookups, alias, joining_early);
    let Some(index) = load.index else {
        let given = &lookups.groups[&group.suffix].given;
        let is_in_file = |column: &Column| match given.iter().find(|(name, _)| *name == column.name) {
            Some((_, Operand::Leaf(number))) => {
                group.file.as_ref().is_some_and(|file| matches!(file.columns.get(number - 1), Some(Some(_))))
            }
            _ => false,
        };
        let same = |(column, value): (&Column, String)| {
            let own = format!("t.{}", identifier(&column.name));
            // No value of a file's key is NULL, and the server finds fast only what is equal.
            match is_in_file(column) {
                true => format!("{} = {}", column.comparable(&own), column.comparable(&value)),
                false => column.is_same(&own, &value),
            }
        };
        return values.into_iter().map(same).collect::<Vec<_>>().join(" and ");
    };
    let own = |sql: &str| match speaks_alike(load.table) {
        true => format!("(select {sql} from (select t.*) t)"),
        false => format!("({sql})"),
    };
    let parts = index.parts.iter().map(|part| format!("{} = {}", own(part), of_values(part, &values)));
    parts.chain(index.predicate.iter().map(|predicate| own(predicate))).collect::<Vec<_>>().join(" and ")
}

/// What the group's row `alias` has in the columns of the key.
pub fn key_values<'c>(
    load: &Load<'c>,
    group: &Group,
    lookups: &Lookups,
    alias: &str,
    joining_early: bool,
) -> Vec<(&'c Column, String)> {
    let collected = &lookups.groups[&group.suffix];
    let value = |name: &&str| {
        let column = load.table.column(name)?;
        let value = match collected.given.iter().find(|(given, _)| given == name) {
            Some((_, operand)) => lookups.operand(&collected.finds, operand, alias, joining_early),
            None => match &column.default {
                Some(default) => format!("({default})"),
                None => format!("null::{}", column.type_name),
            },
        };
        Some((column, value))
    };
    load.key.iter().filter_map(value).collect()
}

/// SQL that speaks of columns by their bare names, about values.
pub fn of_values(sql: &str, values: &[(&Column, String)]) -> String {
    let named = values.iter().map(|(column, value)| format!("{value} as {}", identifier(&column.name)));
    format!("(select {sql} from (select {}) v)", named.collect::<Vec<_>>().join(", "))
}

/// Whether a bare name might mean a column of ours as well as one of the table's.
fn speaks_alike(table: &Table) -> bool {
    let is_ours = |name: &str| {
        let number = name.trim_start_matches(['c', 'l', 'a', 'r']);
        matches!(name, "n" | "is_new")
            || number.len() < name.len() && number.starts_with(|c: char| c.is_ascii_digit())
    };
    table.columns.iter().any(|column| is_ours(&column.name))
}
