//! Write: the last lookups, then one insert and at most one update for each group.

use super::identify::{assigned_columns, same_key, value_of};
use super::load::{Group, Load};
use super::lookup::Lookups;
use crate::plan::catalog::Column;
use crate::plan::quote::identifier;

/// `resolved_…`: every row with all its lookups.
pub fn resolved(load: &Load, lookups: &Lookups) -> Vec<String> {
    load.groups
        .iter()
        .map(|group| {
            format!(
                "resolved_{0} as materialized (\n  select x.*{1}\n  from new_{0} x{2}\n)",
                group.suffix,
                lookups.outputs(group, false),
                lookups.joins(group, "x", false)
            )
        })
        .collect()
}

/// `written_…`: inserts the new rows of each group, in the order they were written down, unless
/// there is a problem with any row of the statement.
pub fn inserts(load: &Load, lookups: &Lookups) -> Vec<String> {
    load.groups
        .iter()
        .filter(|group| !group.is_removed)
        .map(|group| {
            let given = lookups.groups[&group.suffix].given.iter().map(|(name, _)| *name);
            let assigned = assigned_columns(load, group, lookups);
            let names: Vec<&str> = given.chain(assigned.iter().map(|column| column.name.as_str())).collect();
            let columns: Vec<String> = names.iter().map(|name| identifier(name)).collect();
            let values: Vec<String> = names
                .iter()
                .filter_map(|name| value_of(load, group, lookups, name))
                .map(|value| format!("x.{value}"))
                .collect();
            let is_identity = |name: &&str| load.table.column(name).is_some_and(|column| column.identity == "a");
            let overriding = if names.iter().any(is_identity) { " overriding system value" } else { "" };
            let order = if group.is_one_row() { "" } else { "\n  order by x.n" };
            format!(
                "written_{0} as (\n  insert into {1} ({2}){overriding}\n  select {3} from resolved_{0} x\n  where x.is_new and not exists (select from problems){order}\n  returning 1\n)",
                group.suffix, load.table.sql(), columns.join(", "), values.join(", ")
            )
        })
        .collect()
}

/// `updated_…`: gives the rows that are there the values they lack, and leaves those alone that lack none,
/// unless there is a problem with any row of the statement.
pub fn updates(load: &Load, lookups: &Lookups) -> Vec<String> {
    let update = |group: &Group| {
        let differing = differing(load, group, lookups)?;
        let names: Vec<String> = updated(load, group, lookups)
            .iter()
            .map(|(column, value)| format!("{} = x.{value}", identifier(&column.name)))
            .collect();
        Some(format!(
            "updated_{0} as (\n  update {1} t set {2}\n  from resolved_{0} x\n  where not x.is_new and {3} and ({differing}) and not exists (select from problems)\n  returning 1\n)",
            group.suffix,
            load.table.sql(),
            names.join(", "),
            same_key(load, group, lookups, "x", false),
        ))
    };
    load.groups.iter().filter_map(update).collect()
}

/// The condition under which the table's row `t` lacks a value of the group's row `x`; none when the group
/// updates nothing.
pub fn differing(load: &Load, group: &Group, lookups: &Lookups) -> Option<String> {
    let updated = updated(load, group, lookups);
    let conditions: Vec<String> = updated
        .iter()
        .map(|(column, value)| {
            column.differs(&format!("t.{}", identifier(&column.name)), &format!("x.{value}"))
        })
        .collect();
    (!conditions.is_empty()).then(|| conditions.join(" or "))
}

/// The columns that existing rows of a group get, each with the column of `resolved_…` that holds its value.
fn updated<'c>(load: &Load<'c>, group: &Group, lookups: &Lookups) -> Vec<(&'c Column, String)> {
    if group.is_removed {
        return Vec::new();
    }
    let given = lookups.groups[&group.suffix].given.iter();
    let columns = given.filter_map(|(name, _)| load.table.column(name));
    // The server refuses an UPDATE that names such a column, even one that changes nothing.
    let columns = columns.filter(|column| load.is_updated(group, column) && column.identity != "a");
    columns.filter_map(|column| Some((column, value_of(load, group, lookups, &column.name)?))).collect()
}
