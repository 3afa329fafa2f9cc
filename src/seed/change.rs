//! Change: rows that have certain values get others, and those that have these already are left alone.

use super::Seeding;
use super::finding::Finding;
use super::load::{Group, Load};
use super::lookup::{Lookups, Operand};
use super::seek::{same_values, seeks};
use super::{made, problems, stage};
use crate::plan::Statement;
use crate::plan::catalog::Column;
use crate::plan::quote::identifier;

/// Compiles the change of the rows that a first load names to what a second gives, both of one row and of
/// one table. A row is changed when it differs in one of the `compared` columns.
///
/// It answers with the rows that were `('found', 1, number)`, that were to be changed (`wanted`), that were
/// (`changed`), and those of them that differ as they were stored (`undone`).
pub fn compile(named: Load, given: Load, compared: &[&str]) -> Seeding {
    let loads = [named, given];
    let mut statement = Statement::default();
    let lookups = Lookups::among_existing(&loads);
    let [named, given] = &loads;
    let (Some(group), Some(gives)) = (named.groups.first(), given.groups.first()) else {
        return Seeding { statement, finding: Finding::of(&loads, &lookups) };
    };
    let mut tables = seeks(named, &lookups, &mut statement);
    // What names a row is not what the server may refuse of it.
    statement.staged.cells.iter_mut().for_each(|cell| cell.owner = None);
    statement.staged.tables.clear();
    tables.extend(stage::expressions(given, &mut statement));
    tables.push(format!(
        "resolved_{0} as materialized (\n  select s.*, true as is_new{1}{2}\n  from stage_{0} s{3}\n)",
        gives.suffix,
        lookups.outputs(gives, false),
        made::values(given, gives),
        lookups.joins(gives, "s", false)
    ));
    let problems = problems::possible(&loads, &[], &lookups);
    let mut selects: Vec<String> = problems.iter().map(|_| problems::problems_select(&loads)).collect();
    tables.extend(problems);
    let unless = if selects.is_empty() { "" } else { " and not exists (select from problems)" };

    let values = values(given, gives, &lookups);
    let names: Vec<String> =
        values.iter().map(|(column, value)| format!("{} = {value}", identifier(&column.name))).collect();
    let differing: Vec<String> = values
        .iter()
        .filter(|(column, _)| compared.contains(&column.name.as_str()))
        .map(|(column, value)| column.differs(&format!("t.{}", identifier(&column.name)), value))
        .collect();
    let (table, same, differing) =
        (named.table.sql(), same_values(named, group, &lookups), differing.join(" or "));
    let rows = format!("resolved_{} x, resolved_{} y", group.suffix, gives.suffix);
    tables.push(format!(
        "changed as (\n  update {table} t set {}\n  from {rows}\n  where {same} and ({differing}){unless}\n  returning ({differing}) as is_undone\n)",
        names.join(", ")
    ));
    let count = |what: &str, from: &str| {
        format!("select '{what}', '1', (select count(*) from {from})::text, null, null")
    };
    selects.push(count("found", &format!("{table} t, {rows} where {same}")));
    selects.push(count("wanted", &format!("{table} t, {rows} where {same} and ({differing})")));
    selects.push(count("changed", "changed"));
    selects.push(count("undone", "changed where is_undone"));
    statement.sql = format!("with\n{}\n{}", tables.join(",\n"), selects.join("\nunion all\n"));
    made::note(&loads, &mut statement);
    let finding = Finding::of(&loads, &lookups);
    Seeding { statement, finding }
}

/// The columns that get a value, each with the column of `y` that holds it.
fn values<'c>(load: &Load<'c>, group: &Group, lookups: &Lookups) -> Vec<(&'c Column, String)> {
    let given = lookups.groups[&group.suffix].given.iter();
    let values = given.filter_map(|(name, operand)| {
        let value = match operand {
            Operand::Null => "null".to_owned(),
            Operand::Leaf(number) => format!("y.c{number}"),
            Operand::Made(number) => format!("y.e{number}"),
            Operand::Found(number, at) => format!("y.r{number}_v{at}"),
        };
        Some((load.table.column(name)?, value))
    });
    values.collect()
}
