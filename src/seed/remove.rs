//! Remove: rows that are named to be removed, and with `mode: exact` those inside the scope that nobody
//! names.

use super::identify::same_key;
use super::load::{Group, Load};
use super::lookup::Lookups;
use crate::plan::Statement;
use crate::plan::catalog::Table;
use crate::plan::quote::identifier;
use crate::plan::resolve::Target;
use crate::project::fixture::exact::DeleteMax;
use crate::project::source::Place;

/// How far a load that removes rows goes.
#[derive(Debug)]
pub struct Removal<'c> {
    /// The values of the rows it answers for; none for the whole table.
    pub scope: Vec<Target<'c>>,
    /// The most rows that it may delete.
    pub delete_max: DeleteMax,
    /// Where the author says so.
    pub place: Place,
}

/// `doomed_…`: the rows of the scope that no row of the step is, in whatever load it stands. Their condition
/// comes back, for the others that need it.
pub fn doomed(
    load: &Load,
    loads: &[Load],
    lookups: &Lookups,
    statement: &mut Statement,
) -> Option<(String, String)> {
    let removal = load.removal.as_ref()?;
    let scope = condition(&removal.scope, "t", 1, statement);
    let of_table = loads.iter().filter(|it| it.table.oid == load.table.oid && !it.key.is_empty());
    let named: String = of_table
        .flat_map(|it| it.groups.iter().map(move |group| (it, group)))
        .map(|(it, group)| {
            let same = same_key(it, group, lookups, "x", false);
            format!("\n    and not exists (select from resolved_{} x where {same})", group.suffix)
        })
        .collect();
    let expression = format!(
        "doomed_{} as materialized (\n  select t.tableoid as source, t.ctid as place from {} t where {scope}{named}\n)",
        load.number,
        load.table.sql()
    );
    Some((expression, scope))
}

/// How many rows there are to delete, as an SQL expression: each is there.
pub fn wanted(load: &Load, lookups: &Lookups) -> String {
    let named = load.groups.iter().filter(|group| group.is_removed).map(|group| {
        let same = same_row(load, group, lookups);
        format!("(select count(*) from {} t join resolved_{} x on {same})", load.table.sql(), group.suffix)
    });
    let doomed = load.removal.iter().map(|_| format!("(select count(*) from doomed_{})", load.number));
    named.chain(doomed).collect::<Vec<_>>().join(" + ")
}

/// What keeps the doomed rows from being deleted: there are too many of them.
pub fn too_many(load: &Load, scope: &str) -> Option<String> {
    let removal = load.removal.as_ref()?;
    let all = format!("(select count(*) from {} t where {scope})", load.table.sql());
    let most = match removal.delete_max {
        DeleteMax::Rows(rows) => rows.to_string(),
        DeleteMax::Percent(percent) => format!("greatest(1, floor({all} * {percent} / 100))"),
    };
    let doomed = format!("(select count(*) from doomed_{})", load.number);
    Some(format!(
        "select 'too_many', {}, 0, {doomed}::text, {all}::text where {doomed} > {most}",
        load.number
    ))
}

/// `removed_…`: deletes the rows that are named to be removed, and the doomed ones.
pub fn deletes(load: &Load, lookups: &Lookups) -> Vec<String> {
    let table = load.table.sql();
    let mut expressions: Vec<String> = load
        .groups
        .iter()
        .filter(|group| group.is_removed)
        .map(|group| {
            let same = same_row(load, group, lookups);
            format!(
                "removed_{0} as (\n  delete from {table} t using resolved_{0} x\n  where {same} and not exists (select from problems)\n  returning 1\n)",
                group.suffix
            )
        })
        .collect();
    if load.removal.is_some() {
        expressions.push(format!(
            "removed_{0} as (\n  delete from {table} t using doomed_{0} d\n  where t.tableoid = d.source and t.ctid = d.place and not exists (select from problems)\n  returning 1\n)",
            load.number
        ));
    }
    expressions
}

/// The condition under which the table's row `t` is the row `x` that is to be removed. One whose key names a
/// parent that is not there is not there either.
pub fn same_row(load: &Load, group: &Group, lookups: &Lookups) -> String {
    let finds = lookups.of_key(load, group);
    let found: String = finds.map(|find| format!(" and x.r{}_n = 1", find.number)).collect();
    same_key(load, group, lookups, "x", false) + &found
}

/// The names of those expressions.
pub fn suffixes<'l>(load: &'l Load) -> impl Iterator<Item = String> + 'l {
    let named = load.groups.iter().filter(|group| group.is_removed).map(|group| group.suffix.clone());
    named.chain(load.removal.iter().map(|_| load.number.to_string()))
}

/// Rows of the load that are there and outside of its scope: another run would not find them its own.
pub fn outside(load: &Load, lookups: &Lookups, scope: &str) -> Vec<String> {
    let given = load.groups.iter().filter(|group| !group.is_removed);
    let select = |group: &Group| {
        format!(
            "(select 'outside', '{}', x.n::text, null, null from resolved_{} x join {} t on {}\n  where not coalesce({scope}, false) order by x.n limit 20)",
            load.number,
            group.suffix,
            load.table.sql(),
            same_key(load, group, lookups, "x", false)
        )
    };
    given.map(select).collect()
}

/// The condition under which the row `alias` has these values.
fn condition(targets: &[Target], alias: &str, depth: usize, statement: &mut Statement) -> String {
    let conditions: Vec<String> = targets
        .iter()
        .map(|target| match target {
            Target::Made { .. } => "false".to_owned(), // No row is looked for by one.
            Target::Plain { table, column, text, place, .. } => {
                let own = format!("{alias}.{}", identifier(&column.name));
                let what = format!("{}.{}", table.name, column.name);
                let value = statement.bind(text.clone(), Some(place.clone()), what);
                format!(
                    "{} is not distinct from {}",
                    column.comparable(&own),
                    column.comparable(&format!("{value}::text::{}", column.type_name))
                )
            }
            Target::Reference { foreign_key, lookup, .. } => {
                let parent = format!("s{depth}");
                let joined: Vec<String> = foreign_key
                    .columns
                    .iter()
                    .zip(&foreign_key.parent_columns)
                    .map(|(own, theirs)| {
                        format!("{parent}.{} = {alias}.{}", identifier(theirs), identifier(own))
                    })
                    .collect();
                let inner = condition(&lookup.targets, &parent, depth + 1, statement);
                let table: &Table = lookup.parent;
                format!(
                    "exists (select from {} {parent} where {} and {inner})",
                    table.sql(),
                    joined.join(" and ")
                )
            }
        })
        .collect();
    match conditions.is_empty() {
        true => "true".to_owned(),
        false => conditions.join(" and "),
    }
}
