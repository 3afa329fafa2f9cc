//! Write: the last lookups, then one insert for each group.

use super::identify::{assigned_columns, value_of};
use super::load::Load;
use super::lookup::Lookups;
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
            format!(
                "written_{0} as (\n  insert into {1} ({2}){overriding}\n  select {3} from resolved_{0} x\n  where x.is_new and not exists (select from problems)\n  order by x.n\n  returning 1\n)",
                group.suffix, load.table.sql(), columns.join(", "), values.join(", ")
            )
        })
        .collect()
}
