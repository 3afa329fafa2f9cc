//! Stage: rows arrive as one text array a column and are cast to the columns' types.
//!
//! The types carry no length or precision, because an explicit cast would cut or round in silence.
//! Beside a value whose type might, stands what it would become, if it is not what was written.

use super::exact;
use super::file::FileRows;
use super::load::{Group, Load};
use crate::plan::Statement;
use crate::plan::catalog::Column;
use crate::plan::resolve::{Origin, Target};
use crate::plan::staged::{Cell, Owner, StagedTable};

/// The staged rows of each group, as `stage_1_1(n, c1, l1, c2, …)`.
pub fn expressions(load: &Load, statement: &mut Statement) -> Vec<String> {
    let table = statement.staged.tables.len();
    statement.staged.tables.push(StagedTable {
        name: load.table.name.clone(),
        sql: load.table.sql(),
        columns: load.table.columns.iter().map(|column| column.name.clone()).collect(),
        has_trigger: load.table.has_trigger,
        place: load.place.clone(),
        rows: load.places.written().to_vec(),
    });
    load.groups.iter().map(|group| expression(group, table, statement)).collect()
}

/// What the rows of a group are called where a file's rows lie before they are looked at.
pub fn temporary(group: &Group) -> String {
    format!("pg_temp.seedbed_{}", group.suffix)
}

/// A file's rows, numbered as they lie there. Whether they fit their types is known already.
fn of_file(group: &Group, file: &FileRows, statement: &mut Statement) -> String {
    let mut columns = vec![match file.pick.is_numbered() {
        true => "f.n".to_owned(),
        false => "(row_number() over ())::int4 as n".to_owned(),
    }];
    for (at, (leaf, column)) in
        leaves(group.targets()).into_iter().zip(leaf_columns(group.targets())).enumerate()
    {
        let number = at + 1;
        columns.push(match file.columns.get(at) {
            Some(Some(_)) => format!("f.c{number}::{} as c{number}", column.type_name),
            _ => {
                let what = format!("the default of `{}`", column.name);
                let value = statement.bind(text(leaf).cloned(), Some(leaf.place().clone()), what);
                format!("{} as c{number}", cast(leaf, column, &format!("{value}::text"), statement))
            }
        });
    }
    let (suffix, rows) = (&group.suffix, temporary(group));
    format!("stage_{suffix} as materialized (\n  select {}\n  from {rows} f\n)", columns.join(", "))
}

fn expression(group: &Group, table: usize, statement: &mut Statement) -> String {
    if let Some(file) = &group.file {
        return of_file(group, file, statement);
    }
    let numbers = group.rows.iter().map(|(number, _)| Some(number.to_string())).collect();
    let mut arrays = vec![format!("{}::text[]", statement.bind_list(numbers))];
    let mut names = vec!["n".to_owned()];
    let mut casts = vec!["u.n::int4 as n".to_owned()];
    let examples = leaves(group.targets()).into_iter().zip(leaf_columns(group.targets()));
    for (at, ((example, column), is_own)) in examples.zip(owned(group)).enumerate() {
        let name = format!("c{}", at + 1);
        let mut values = Vec::with_capacity(group.rows.len());
        for (number, targets) in &group.rows {
            let leaf = leaves(targets).swap_remove(at);
            let owner = is_own.then(|| Owner { table, row: number - 1, column: column.name.clone() });
            statement.staged.cells.extend(cell(leaf, owner));
            values.push(text(leaf).cloned());
        }
        arrays.push(format!("{}::text[]", statement.bind_list(values)));
        let value = cast(example, column, &format!("u.{name}"), statement);
        casts.push(format!("{value} as {name}"));
        if let Some(changed) = changed(example, &format!("u.{name}"), &value) {
            casts.push(format!("{changed} as l{}", at + 1));
        }
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

/// A staged text as a value of its column's type.
fn cast(leaf: &Target, column: &Column, text: &str, statement: &mut Statement) -> String {
    match leaf {
        // The server knows the calendar; the column's own precision is that of the value.
        Target::Plain { origin: Origin::Moment(now), .. } => {
            let now = statement.bind(Some(now.to_string()), None, "the time of the run");
            let exact = column.exact.as_ref().unwrap_or(&column.type_name);
            format!("({now}::text::timestamptz + {text}::interval)::{exact}")
        }
        _ => format!("{text}::{}", column.type_name),
    }
}

/// What a staged value would become, as an SQL expression, if its type may change what was written.
pub fn changed(leaf: &Target, text: &str, value: &str) -> Option<String> {
    match leaf {
        Target::Plain { origin: Origin::Moment(_), .. } => None,
        Target::Plain { column, .. } => exact::changed(column, text, value),
        Target::Reference { .. } | Target::Made { .. } => None,
    }
}

/// For each staged column, whether it is of the table itself and not of a parent that is looked for.
pub fn owned(group: &Group) -> Vec<bool> {
    let mut owned = Vec::new();
    for target in group.targets() {
        let is_own = matches!(target, Target::Plain { .. });
        owned.extend(leaves(std::slice::from_ref(target)).iter().map(|_| is_own));
    }
    owned
}

/// The plain values under some targets, depth first: the order of the staged columns.
pub fn leaves<'a, 'c>(targets: &'a [Target<'c>]) -> Vec<&'a Target<'c>> {
    targets
        .iter()
        .flat_map(|target| match target {
            Target::Plain { .. } => vec![target],
            Target::Reference { lookup, .. } => leaves(&lookup.targets),
            Target::Made { .. } => Vec::new(),
        })
        .collect()
}

/// The columns of those values, in the same order.
pub fn leaf_columns<'c>(targets: &[Target<'c>]) -> Vec<&'c Column> {
    leaves(targets)
        .into_iter()
        .filter_map(|leaf| match leaf {
            Target::Plain { column, .. } => Some(*column),
            Target::Reference { .. } | Target::Made { .. } => None,
        })
        .collect()
}

/// The text of a plain value.
pub fn text<'a>(leaf: &'a Target) -> Option<&'a String> {
    match leaf {
        Target::Plain { text, .. } => text.as_ref(),
        Target::Reference { .. } | Target::Made { .. } => None,
    }
}

fn cell(leaf: &Target, owner: Option<Owner>) -> Option<Cell> {
    match leaf {
        Target::Plain { table, column, text: Some(text), origin, place } => {
            let is_moment = matches!(origin, Origin::Moment(_));
            Some(Cell {
                text: text.clone(),
                type_name: if is_moment { "interval".to_owned() } else { column.declared.clone() },
                place: place.clone(),
                what: format!("{}.{}", table.name, column.name),
                is_secret: leaf.is_secret(),
                // What the row has there is not the text that was staged.
                owner: owner.filter(|_| !is_moment),
            })
        }
        _ => None,
    }
}
