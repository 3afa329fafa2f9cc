//! Seek: rows of tables that have certain values, for steps that look at rows or delete them.

use super::finding::Finding;
use super::load::{Group, Load};
use super::lookup::{Lookups, Operand};
use super::stage::{self, leaves};
use super::{Seeding, problems};
use crate::plan::Statement;
use crate::plan::quote::identifier;

/// Counts, for each load, the rows that its table has of it: `('found', load, number)`.
pub fn count(loads: &[Load]) -> Seeding {
    let mut statement = Statement::default();
    let lookups = Lookups::among_existing(loads);
    let (tables, mut selects) = tables(loads, &lookups, &mut statement);
    for load in loads {
        for group in &load.groups {
            selects.push(format!(
                "select 'found', '{}', (select count(*) from {} t join resolved_{} x on {})::text, null, null",
                load.number,
                load.table.sql(),
                group.suffix,
                same_values(load, group, &lookups)
            ));
        }
    }
    statement.sql = format!("with\n{}\n{}", tables.join(",\n"), selects.join("\nunion all\n"));
    Seeding { statement, finding: Finding::of(loads, &lookups) }
}

/// Returns the rows that a load's table has of it: all of their columns, as texts. More than two are as good
/// as two.
pub fn rows(load: Load) -> Statement {
    let loads = [load];
    let mut statement = Statement::default();
    let lookups = Lookups::among_existing(&loads);
    let (tables, _) = tables(&loads, &lookups, &mut statement);
    let table = loads[0].table;
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("t.{}::text", identifier(&column.name))).collect();
    let selects: Vec<String> = loads[0]
        .groups
        .iter()
        .map(|group| {
            let same = same_values(&loads[0], group, &lookups);
            format!(
                "select {} from {} t join resolved_{} x on {same}",
                columns.join(", "),
                table.sql(),
                group.suffix
            )
        })
        .collect();
    statement.sql = format!("with\n{}\n{}\nlimit 2", tables.join(",\n"), selects.join("\nunion all\n"));
    statement
}

/// Deletes the rows that a load's table has of it: `('found', load, number)` and
/// `('deleted', load, number)`.
pub fn delete(load: Load) -> Seeding {
    let loads = [load];
    let mut statement = Statement::default();
    let lookups = Lookups::among_existing(&loads);
    let (mut tables, mut selects) = tables(&loads, &lookups, &mut statement);
    let unless = if selects.is_empty() { "" } else { " and not exists (select from problems)" };
    for group in &loads[0].groups {
        let (table, suffix) = (loads[0].table.sql(), &group.suffix);
        let same = same_values(&loads[0], group, &lookups);
        tables.push(format!(
            "deleted_{suffix} as (\n  delete from {table} t using resolved_{suffix} x\n  where {same}{unless}\n  returning 1\n)"
        ));
        selects.push(format!(
            "select 'found', '1', (select count(*) from {table} t join resolved_{suffix} x on {same})::text, null, null"
        ));
        selects.push(format!(
            "select 'deleted', '1', (select count(*) from deleted_{suffix})::text, null, null"
        ));
    }
    statement.sql = format!("with\n{}\n{}", tables.join(",\n"), selects.join("\nunion all\n"));
    let finding = Finding::of(&loads, &lookups);
    Seeding { statement, finding }
}

/// The rows that are looked for, all of whose lookups are done at once, and what may be wrong with them,
/// which comes first in the answer.
fn tables(loads: &[Load], lookups: &Lookups, statement: &mut Statement) -> (Vec<String>, Vec<String>) {
    let mut tables = Vec::new();
    for load in loads {
        tables.extend(seeks(load, lookups, statement));
    }
    let possible = match loads.is_empty() {
        true => Some(problems::problems(loads, &[], lookups)), // A statement begins with something.
        false => problems::possible(loads, &[], lookups),
    };
    let selects = possible.iter().map(|_| problems::problems_select(loads)).collect();
    tables.extend(possible);
    (tables, selects)
}

/// The rows that one load looks for: `resolved_…`.
pub fn seeks(load: &Load, lookups: &Lookups, statement: &mut Statement) -> Vec<String> {
    let mut tables = stage::expressions(load, statement);
    for group in &load.groups {
        tables.push(format!(
            "resolved_{0} as materialized (\n  select s.*, true as is_new{1}\n  from stage_{0} s{2}\n)",
            group.suffix,
            lookups.outputs(group, false),
            lookups.joins(group, "s", false)
        ));
    }
    tables
}

/// The condition under which the table's row `t` has the values of the group's row `x`.
pub fn same_values(load: &Load, group: &Group, lookups: &Lookups) -> String {
    let leaves = leaves(group.targets());
    let conditions: Vec<String> = lookups.groups[&group.suffix]
        .given
        .iter()
        .filter_map(|(name, operand)| {
            let column = load.table.column(name)?;
            let own = format!("t.{}", identifier(name));
            let value = match operand {
                Operand::Leaf(number) if stage::text(leaves.get(number - 1)?).is_some() => {
                    format!("x.c{number}")
                }
                Operand::Leaf(_) | Operand::Null => return Some(format!("{own} is null")),
                Operand::Found(number, at) => format!("x.r{number}_v{at}"),
                Operand::Made(_) => return Some("false".to_owned()), // No row is looked for by one.
            };
            Some(format!("{} = {}", column.comparable(&own), column.comparable(&value)))
        })
        .collect();
    conditions.join(" and ")
}
