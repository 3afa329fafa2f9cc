//! Answer: what the statement says about each load and each row, and how to read it.

use super::identify::same_key;
use super::load::{Load, Rule};
use super::lookup::{Lookups, Operand, Sought, sought};
use crate::plan::quote::{identifier, literal};
use crate::plan::{Answer, number, text};
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::source::Place;

/// The most rows of one kind that are told of by name.
const ROWS_SHOWN_MAX: usize = 20;
/// The most rows a load may have for its cells to be pointed at when they differ.
const ROWS_POINTED_MAX: usize = 1_000;
/// The most parent rows that are offered instead of one that was not found.
const CANDIDATES_MAX: usize = 200;

/// `problems(what, load, n, detail, offered)`: what keeps the whole statement from writing.
pub fn problems(loads: &[Load], lookups: &Lookups) -> String {
    let mut selects = Vec::new();
    for load in loads {
        for (group_number, group) in load.groups.iter().enumerate() {
            let finds = &lookups.groups[&group.suffix].finds;
            for find in finds {
                // When an inner lookup fails, the outer one must; only the inner one is told.
                let inner_held: String = find
                    .conditions
                    .iter()
                    .filter_map(|(_, operand)| match operand {
                        Operand::Found(number, _) => Some(format!(" and x.r{number}_n = 1")),
                        Operand::Leaf(_) => None,
                    })
                    .collect();
                let offered = match find.conditions.as_slice() {
                    [(column, Operand::Leaf(_))] => format!(
                        "case when x.r{0}_n = 0 then (select json_agg(o.v)::text from (select p.{1}::text as v from {2} p limit {CANDIDATES_MAX}) o) end",
                        find.number,
                        identifier(&column.name),
                        find.parent.sql()
                    ),
                    _ => "null::text".to_owned(),
                };
                selects.push(format!(
                    "select case when x.r{0}_n = 0 then 'missing' else 'ambiguous' end as what, {1} as load, x.n, '{group_number}.{0}' as detail, {offered} as offered\n  from resolved_{2} x where x.is_new and x.r{0}_n <> 1{inner_held}",
                    find.number, load.number, group.suffix
                ));
            }
        }
        if let Some(duplicates) = duplicates(load, lookups) {
            selects.push(duplicates);
        }
    }
    if selects.is_empty() {
        selects.push("select null::text as what, 0 as load, 0 as n, null::text as detail, null::text as offered where false".to_owned());
    }
    format!(
        "problems(what, load, n, detail, offered) as materialized (\n  {}\n)",
        selects.join("\n  union all\n  ")
    )
}

/// Rows of the load that have the same key as an earlier one.
fn duplicates(load: &Load, lookups: &Lookups) -> Option<String> {
    if load.key().is_empty() {
        return None;
    }
    let mut selects = Vec::new();
    for group in &load.groups {
        let mut values = Vec::new();
        for (at, name) in load.key().iter().enumerate() {
            let type_name = &load.table.column(name)?.type_name;
            let value = super::identify::value_of(load, group, lookups, name);
            let value = value.map_or("null".to_owned(), |value| format!("x.{value}"));
            values.push(format!("{value}::{type_name} as k{}", at + 1));
        }
        selects.push(format!("select x.n, {} from new_{} x where x.is_new", values.join(", "), group.suffix));
    }
    let keys: Vec<String> = (1..=load.key().len()).map(|at| format!("k{at}")).collect();
    Some(format!(
        "select 'duplicate', {}, d.n, d.first::text, null from (\n    select n, min(n) over (partition by {}) as first from ({}) k\n  ) d where d.n > d.first",
        load.number,
        keys.join(", "),
        selects.join(" union all ")
    ))
}

/// The closing select: `(what, load, n, detail, offered)`.
pub fn select(loads: &[Load], lookups: &Lookups) -> String {
    let mut selects = vec![format!(
        "(select what, load::text, n::text, detail, offered from problems order by load, n limit {ROWS_SHOWN_MAX})"
    )];
    for load in loads {
        let count = |what: &str, counts: Vec<String>| {
            let sum = if counts.is_empty() { "0".to_owned() } else { counts.join(" + ") };
            format!("select '{what}', '{}', ({sum})::text, null, null", load.number)
        };
        let groups = load.groups.iter().map(|group| &group.suffix);
        selects.push(count(
            "created",
            groups.clone().map(|suffix| format!("(select count(*) from written_{suffix})")).collect(),
        ));
        selects.push(count(
            "there",
            groups
                .map(|suffix| format!("(select count(*) from resolved_{suffix} where not is_new)"))
                .collect(),
        ));
        for group in &load.groups {
            let key = load.key();
            if key.is_empty() {
                continue;
            }
            let same = same_key(load, group, lookups, "x", false);
            for (name, operand) in &lookups.groups[&group.suffix].given {
                let Some(column) = load.table.column(name).filter(|_| !key.contains(name)) else { continue };
                let value = match operand {
                    Operand::Leaf(number) => format!("x.c{number}"),
                    Operand::Found(number, at) => format!("x.r{number}_v{at}"),
                };
                let own = format!("t.{}", identifier(name));
                selects.push(format!(
                    "(select 'differs', '{}', x.n::text, {}, {own}::text from resolved_{} x join {} t on {same}\n  where not x.is_new and {} order by x.n limit {ROWS_SHOWN_MAX})",
                    load.number, literal(name), group.suffix, load.table.sql(), column.differs(&own, &value)
                ));
            }
        }
    }
    selects.join("\nunion all\n")
}

/// Reads the answer of one seeding.
pub struct Finding {
    loads: Vec<Told>,
}

/// What a message needs to know of a load.
struct Told {
    table: String,
    is_if_empty: bool,
    places: Vec<Place>,
    /// By row number and then by lookup: what it looks for.
    sought: Vec<(usize, Vec<Sought>)>,
    /// By row number and column: the cell's place. Only for loads that a person reads whole.
    cells: Vec<(usize, String, Place)>,
}

/// What happened to one load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The table.
    pub table: String,
    /// Rows inserted.
    pub created: usize,
    /// Rows that were there already.
    pub there: usize,
    /// Whether the load was left alone because its table has rows.
    pub is_skipped: bool,
    /// Cells of rows that were there and say something else.
    pub differing: Vec<Differing>,
}

/// A cell of a row that was there and says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The row's number in its load, counted from 1.
    pub row: usize,
    /// Where the author wrote the cell, or its row.
    pub place: Place,
    /// The column.
    pub column: String,
    /// Its value in the database, as text.
    pub actual: Option<String>,
}

/// What keeps a seeding from being applied.
#[derive(Debug)]
pub struct Obstacle {
    /// What it is.
    pub kind: ObstacleKind,
    /// The words for it, at its place.
    pub diagnostic: Diagnostic,
}

/// The kinds of obstacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObstacleKind {
    /// A reference to no row.
    ParentMissing,
    /// A reference to several rows.
    ParentAmbiguous,
    /// Two rows with the same key.
    Duplicate,
}

impl Finding {
    /// Keeps what messages about these loads will need.
    pub fn of(loads: &[Load], lookups: &Lookups) -> Finding {
        let told = loads.iter().map(|load| {
            let mut sought_rows = Vec::new();
            for group in &load.groups {
                let count = lookups.groups[&group.suffix].finds.len();
                for (number, targets) in group.rows.iter().filter(|_| count > 0) {
                    let row = (1..=count).filter_map(|find| sought(targets, find)).collect();
                    sought_rows.push((*number, row));
                }
            }
            Told {
                table: load.table.name.clone(),
                is_if_empty: load.rule == Rule::TableIsEmpty,
                places: load.places.clone(),
                sought: sought_rows,
                cells: if load.places.len() <= ROWS_POINTED_MAX { cells(load) } else { Vec::new() },
            }
        });
        Finding { loads: told.collect() }
    }

    /// What happened to each load, or what kept the seeding from being applied.
    pub fn read(&self, answer: &Answer) -> Result<Vec<Applied>, Vec<Obstacle>> {
        let mut applied: Vec<Applied> = self
            .loads
            .iter()
            .map(|load| Applied { table: load.table.clone(), ..Applied::default() })
            .collect();
        let mut obstacles = Vec::new();
        for row in answer {
            let at = number(row, 1).saturating_sub(1);
            let (Some(load), Some(result)) = (self.loads.get(at), applied.get_mut(at)) else { continue };
            match text(row, 0) {
                "created" => result.created = number(row, 2),
                "there" => result.there = number(row, 2),
                "differs" => {
                    if let Some(place) = load.cell(number(row, 2), text(row, 3)) {
                        result.differing.push(Differing {
                            row: number(row, 2),
                            place: place.clone(),
                            column: text(row, 3).to_owned(),
                            actual: row[4].clone(),
                        });
                    }
                }
                what => obstacles.extend(load.obstacle(what, row)),
            }
        }
        for (result, load) in applied.iter_mut().zip(&self.loads) {
            result.is_skipped = load.is_if_empty && result.created == 0 && result.there > 0;
        }
        if obstacles.is_empty() { Ok(applied) } else { Err(obstacles) }
    }
}

fn cells(load: &Load) -> Vec<(usize, String, Place)> {
    let rows = load.groups.iter().flat_map(|group| &group.rows);
    let cells = rows.flat_map(|(number, targets)| targets.iter().map(move |target| (*number, target)));
    let columns = cells.flat_map(|(number, target)| {
        target.columns().into_iter().map(move |column| (number, column.to_owned(), target.place().clone()))
    });
    columns.collect()
}

impl Told {
    /// The place of a cell, or of its row.
    fn cell(&self, row: usize, column: &str) -> Option<&Place> {
        let cell = self.cells.iter().find(|(number, name, _)| *number == row && name == column);
        cell.map(|(_, _, place)| place).or(self.places.get(row.checked_sub(1)?))
    }

    fn obstacle(&self, what: &str, row: &[Option<String>]) -> Option<Obstacle> {
        let number_of_row = number(row, 2);
        if what == "duplicate" {
            let place = self.places.get(number_of_row.checked_sub(1)?)?;
            let first = self.places.get(number(row, 3).checked_sub(1)?)?;
            let diagnostic = Diagnostic::error(format!("two rows of `{}` have the same key", self.table))
                .at_place(place.clone())
                .context(first.span, "first here")
                .help("keep one of the two");
            return Some(Obstacle { kind: ObstacleKind::Duplicate, diagnostic });
        }
        let lookup: usize = text(row, 3).split_once('.')?.1.parse().ok()?;
        let (_, rows) = self.sought.iter().find(|(number, _)| *number == number_of_row)?;
        let Sought { place, parent, condition, value } = rows.get(lookup.checked_sub(1)?)?;
        if what == "missing" {
            let offered: Vec<String> = serde_json::from_str(text(row, 4)).unwrap_or_default();
            let word = value.as_deref().unwrap_or_default();
            let help = did_you_mean(word, offered.iter().map(String::as_str));
            let diagnostic = Diagnostic::error(format!("`{parent}` has no row with {condition}"))
                .at_place(place.clone())
                .maybe_help(help.or_else(|| {
                    Some(format!("add it to the fixture of `{parent}`, before or beside this one"))
                }));
            return Some(Obstacle { kind: ObstacleKind::ParentMissing, diagnostic });
        }
        let diagnostic = Diagnostic::error(format!("`{parent}` has several rows with {condition}"))
            .at_place(place.clone())
            .help("name more columns, so that one row is meant: `{column: value, …}`");
        Some(Obstacle { kind: ObstacleKind::ParentAmbiguous, diagnostic })
    }
}
