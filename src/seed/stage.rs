//! Stage: rows arrive as one text array a column and are cast to the columns' types.
//!
//! The types carry no length or precision, because an explicit cast would cut or round in silence;
//! the insert, which assigns, refuses instead.

use super::load::{Group, Load};
use crate::plan::resolve::Target;
use crate::plan::{Cell, Statement};

/// The staged rows of each group, as `stage_1_1(n, c1, c2, …)`.
pub fn expressions(load: &Load, statement: &mut Statement) -> Vec<String> {
    load.groups.iter().map(|group| expression(group, statement)).collect()
}

fn expression(group: &Group, statement: &mut Statement) -> String {
    let numbers = group.rows.iter().map(|(number, _)| Some(number.to_string())).collect();
    let mut arrays = vec![format!("{}::text[]", statement.bind_list(numbers))];
    let mut names = vec!["n".to_owned()];
    let mut casts = vec!["u.n::int4 as n".to_owned()];
    for (at, type_name) in leaf_types(group.targets()).iter().enumerate() {
        let name = format!("c{}", at + 1);
        let mut values = Vec::with_capacity(group.rows.len());
        for (_, targets) in &group.rows {
            let leaf = leaves(targets).swap_remove(at);
            if let Some(cell) = cell(leaf) {
                statement.cells.push(cell);
            }
            values.push(text(leaf).cloned());
        }
        arrays.push(format!("{}::text[]", statement.bind_list(values)));
        casts.push(format!("u.{name}::{type_name} as {name}"));
        names.push(name);
    }
    format!(
        "stage_{} as materialized (\n  select {}\n  from unnest({}) as u({})\n)",
        group.suffix,
        casts.join(", "),
        arrays.join(", "),
        names.join(", ")
    )
}

/// The plain values under some targets, depth first: the order of the staged columns.
pub fn leaves<'a, 'c>(targets: &'a [Target<'c>]) -> Vec<&'a Target<'c>> {
    targets
        .iter()
        .flat_map(|target| match target {
            Target::Plain { .. } => vec![target],
            Target::Reference { lookup, .. } => leaves(&lookup.targets),
        })
        .collect()
}

fn leaf_types(targets: &[Target]) -> Vec<String> {
    let type_name = |leaf: &&Target| match leaf {
        Target::Plain { column, .. } => column.type_name.clone(),
        Target::Reference { .. } => String::new(),
    };
    leaves(targets).iter().map(type_name).collect()
}

fn text<'a>(leaf: &'a Target) -> Option<&'a String> {
    match leaf {
        Target::Plain { text, .. } => text.as_ref(),
        Target::Reference { .. } => None,
    }
}

fn cell(leaf: &Target) -> Option<Cell> {
    match leaf {
        Target::Plain { table, column, text: Some(text), place } => Some(Cell {
            text: text.clone(),
            type_name: column.declared.clone(),
            place: place.clone(),
            what: format!("{}.{}", table.name, column.name),
        }),
        _ => None,
    }
}
