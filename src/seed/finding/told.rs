//! What a message needs to know of a load, and the words for what is wrong with its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Obstacle, ObstacleKind};
use crate::plan::cell::{inexact, inexact_secret};
use crate::plan::{Answer, number, text};
use crate::project::bulk::{Bulk, FoundRow, Pick};
use crate::project::diagnostic::{Diagnostic, count, did_you_mean};
use crate::project::source::Place;
use crate::seed::file::filled;
use crate::seed::load::{Group, Load, Places, Rule};
use crate::seed::lookup::{Lookups, Operand, Sought, sought};
use crate::seed::problems::{inexact_leaves, named_by};
use crate::seed::stage::{leaf_columns, leaves, text as leaf_text};

/// The most rows a load may have for its cells to be pointed at when they differ.
const ROWS_POINTED_MAX: usize = 1_000;

/// What a message needs to know of a load.
pub struct Told {
    pub table: String,
    pub place: Place,
    pub is_if_empty: bool,
    pub updates: bool,
    /// Where it is said which rows are deleted.
    pub removal: Option<Place>,
    pub places: Places,
    /// By row number and the number of a staged column.
    inexact: BTreeMap<(usize, usize), Inexact>,
    /// By row number and then by lookup: what it looks for.
    sought: Vec<(usize, Vec<Sought>)>,
    /// By row number and column: the cell's place. Only for loads that a person reads whole.
    cells: Vec<(usize, String, Place)>,
    /// The rows that stand in a file, those of the same columns together.
    files: Vec<ToldFile>,
}

/// What a message needs to know of rows in a file, which are read again for it.
struct ToldFile {
    bulk: Arc<Bulk>,
    pick: Pick,
    /// The table's columns that the file's own give, by their numbers.
    columns: Vec<(String, usize)>,
    /// What lookups look for, with marks for the values of a row.
    sought: Vec<Sought>,
    /// Rows that were read again.
    found: Mutex<BTreeMap<usize, FoundRow>>,
}

/// A value that its type may cut or round: as text, if it may be shown, with the type's name and its place.
type Inexact = (Option<String>, String, Place);

fn inexact_values(group: &Group) -> Vec<((usize, usize), Inexact)> {
    let numbers = inexact_leaves(group);
    let columns = leaf_columns(group.targets());
    let mut values = Vec::new();
    for (row, targets) in group.rows.iter().filter(|_| !numbers.is_empty()) {
        let leaves = leaves(targets);
        for number in &numbers {
            let (leaf, column) = (leaves[number - 1], columns[number - 1]);
            if let Some(text) = leaf_text(leaf) {
                let shown = (!leaf.is_secret()).then(|| text.clone());
                let inexact = (shown, column.exactly(), leaf.place().clone());
                values.push(((*row, *number), inexact));
            }
        }
    }
    values
}

fn cells(load: &Load) -> Vec<(usize, String, Place)> {
    let rows = load.groups.iter().flat_map(|group| &group.rows);
    let cells = rows.flat_map(|(number, targets)| targets.iter().map(move |target| (*number, target)));
    let columns = cells.flat_map(|(number, target)| {
        target.columns().into_iter().map(move |column| (number, column.to_owned(), target.place().clone()))
    });
    columns.collect()
}

fn told_file(group: &Group, lookups: &Lookups) -> Option<ToldFile> {
    let file = group.file.as_ref().filter(|_| group.is_in_file())?;
    let given = lookups.groups[&group.suffix].given.iter();
    let columns = given.filter_map(|(name, operand)| {
        let number = match operand {
            Operand::Leaf(number) => *number,
            Operand::Found(number, _) => {
                let finds = &lookups.groups[&group.suffix].finds;
                *named_by(finds.iter().find(|find| find.number == *number)?, finds).first()?
            }
            Operand::Null | Operand::Made(_) => return None,
        };
        Some(((*name).to_owned(), file.columns.get(number - 1).copied()??))
    });
    let finds = 1..=lookups.groups[&group.suffix].finds.len();
    Some(ToldFile {
        bulk: file.bulk.clone(),
        pick: file.pick.clone(),
        columns: columns.collect(),
        sought: finds.filter_map(|find| sought(group.targets(), find)).collect(),
        found: Mutex::default(),
    })
}

impl Told {
    /// Keeps what messages about a load will need.
    pub fn of(load: &Load, lookups: &Lookups) -> Told {
        let mut sought_rows = Vec::new();
        for group in &load.groups {
            let count = lookups.groups[&group.suffix].finds.len();
            for (number, targets) in group.rows.iter().filter(|_| count > 0 && !group.is_in_file()) {
                let row = (1..=count).filter_map(|find| sought(targets, find)).collect();
                sought_rows.push((*number, row));
            }
        }
        Told {
            table: load.table.name.clone(),
            place: load.place.clone(),
            inexact: load.groups.iter().flat_map(inexact_values).collect(),
            is_if_empty: load.rule == Rule::TableIsEmpty,
            updates: load.updates.is_some(),
            removal: load.removal.as_ref().map(|removal| removal.place.clone()),
            places: load.places.clone(),
            sought: sought_rows,
            cells: match load.places.written().len() <= ROWS_POINTED_MAX {
                true if !matches!(load.places, Places::InFile(_)) => cells(load),
                _ => Vec::new(),
            },
            files: load.groups.iter().filter_map(|group| told_file(group, lookups)).collect(),
        }
    }

    /// A row of a file, read again.
    fn found(&self, row: usize) -> Option<(&ToldFile, FoundRow)> {
        self.files.iter().find_map(|file| {
            let known = file.found.lock().unwrap_or_else(PoisonError::into_inner).get(&row).cloned();
            Some((file, known.or_else(|| file.bulk.row(row, &file.pick))?))
        })
    }

    /// Reads the rows of a file that an answer speaks of, all at once.
    pub fn find(&self, number_of_load: usize, answer: &Answer) {
        if self.files.is_empty() {
            return;
        }
        let told = answer.iter().filter(|row| number(row, 1) == number_of_load);
        let is_of_row = |row: &&Vec<Option<String>>| {
            matches!(
                text(row, 0),
                "missing" | "ambiguous" | "several" | "fixed" | "duplicate" | "differs" | "unindexed"
            )
        };
        let numbers: BTreeSet<usize> = told.filter(is_of_row).map(|row| number(row, 2)).collect();
        for file in &self.files {
            *file.found.lock().unwrap_or_else(PoisonError::into_inner) =
                file.bulk.found(&numbers, &file.pick);
        }
    }

    /// What a lookup of a row looks for.
    fn sought(&self, row: usize, lookup: usize) -> Option<Sought> {
        let Some((file, found)) = self.found(row) else {
            let (_, rows) = self.sought.iter().find(|(number, _)| *number == row)?;
            return rows.get(lookup).cloned();
        };
        let template = file.sought.get(lookup)?;
        let (condition, first) = filled(&template.condition, &found.texts);
        let place = first.and_then(|at| found.places.get(at).cloned());
        Some(Sought {
            place: place.or(found.place())?,
            parent: template.parent.clone(),
            condition,
            value: template.value.as_ref().map(|value| filled(value, &found.texts).0),
        })
    }

    /// The place of a cell, or of its row.
    pub fn cell(&self, row: usize, column: &str) -> Option<Place> {
        if let Some((file, found)) = self.found(row) {
            let own = file.columns.iter().find(|(name, _)| name == column);
            return own.and_then(|(_, at)| found.places.get(*at).cloned()).or(found.place());
        }
        let cell = self.cells.iter().find(|(number, name, _)| *number == row && name == column);
        cell.map(|(_, _, place)| place.clone()).or_else(|| self.places.get(row))
    }

    pub fn swallowed(&self, wanted: usize, created: usize) -> Option<Obstacle> {
        if wanted == created {
            return None;
        }
        let message = format!(
            "{} of `{}` {} to be inserted and the table took {created}: a trigger or rule swallowed {}",
            count(wanted, "row"),
            self.table,
            if wanted == 1 { "was" } else { "were" },
            match wanted - created {
                1 => "one".to_owned(),
                several => several.to_string(),
            },
        );
        let diagnostic = Diagnostic::error(message)
            .at_place(self.place.clone())
            .help("a BEFORE trigger that returns NULL drops its row: let it return NEW");
        Some(Obstacle { kind: ObstacleKind::Swallowed, diagnostic })
    }

    pub fn kept(&self, wanted: usize, deleted: usize) -> Option<Obstacle> {
        let message = format!(
            "{} of `{}` {} to be deleted and {deleted} went: a trigger, rule or policy kept the rest",
            count(wanted, "row"),
            self.table,
            if wanted == 1 { "was" } else { "were" },
        );
        let diagnostic = Diagnostic::error(message)
            .at_place(self.removal.as_ref().unwrap_or(&self.place).clone())
            .help("a BEFORE trigger that returns NULL keeps its row: let it return OLD");
        (wanted > deleted).then_some(Obstacle { kind: ObstacleKind::Swallowed, diagnostic })
    }

    pub fn too_many(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let (doomed, all) = (text(row, 3), text(row, 4));
        let diagnostic = Diagnostic::error(format!(
            "{doomed} of {all} rows of `{}` would be deleted, which is more than may be",
            self.table
        ))
        .at_place(self.removal.clone()?)
        .note("the scope has them, and the fixture does not name them")
        .help(format!("if that is meant: `max_delete: {doomed}`"));
        Some(Obstacle { kind: ObstacleKind::TooMany, diagnostic })
    }

    pub fn outside(&self, number: usize) -> Option<Obstacle> {
        let place = self.places.get(number)?;
        let diagnostic =
            Diagnostic::error(format!("this row of `{}` is outside of the fixture's scope", self.table))
                .at_place(place.clone())
                .help("give it the values that `scope` names, or widen the scope");
        Some(Obstacle { kind: ObstacleKind::Outside, diagnostic })
    }

    pub fn several(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let place = self.places.get(number(row, 2))?;
        let diagnostic = Diagnostic::error(format!("`{}` has several rows with this key", self.table))
            .at_place(place.clone())
            .note("all of them would be changed or deleted")
            .help("name more columns under `key`, so that one row is meant");
        Some(Obstacle { kind: ObstacleKind::KeyAmbiguous, diagnostic })
    }

    pub fn unindexed(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let diagnostic =
            Diagnostic::error(format!("this row of `{}` is not in the index that is its key", self.table))
                .at_place(self.places.get(number(row, 2))?)
                .note(format!("the index holds rows where {}", text(row, 4)))
                .help("give it values that the index holds, or name another key");
        Some(Obstacle { kind: ObstacleKind::Unindexed, diagnostic })
    }

    pub fn fixed(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let column = text(row, 3);
        let diagnostic = Diagnostic::error(format!(
            "`{}.{column}` is {} here, and nobody may change it",
            self.table,
            text(row, 4)
        ))
        .at_place(self.cell(number(row, 2), column)?)
        .note("it is GENERATED ALWAYS AS IDENTITY")
        .help("leave it out, or list it under `insert_only`");
        Some(Obstacle { kind: ObstacleKind::Fixed, diagnostic })
    }

    pub fn inexact(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let (value, exactly, place) = self.inexact.get(&(number(row, 2), text(row, 3).parse().ok()?))?;
        let diagnostic = match value {
            Some(value) => inexact(value, exactly, text(row, 4)),
            None => inexact_secret(exactly),
        };
        let diagnostic = diagnostic.at_place(place.clone());
        Some(Obstacle { kind: ObstacleKind::Inexact, diagnostic })
    }

    pub fn unfound(&self, what: &str, row: &[Option<String>]) -> Option<Obstacle> {
        let number_of_row = number(row, 2);
        let lookup: usize = text(row, 3).split_once('.')?.1.parse().ok()?;
        let Sought { place, parent, condition, value } =
            &self.sought(number_of_row, lookup.checked_sub(1)?)?;
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
        if what == "changing" {
            let diagnostic = Diagnostic::error(format!(
                "the row of `{parent}` with {condition} changes in this very step"
            ))
            .at_place(place.clone())
            .note("whether it is so before or afterwards would decide which row is meant")
            .help(format!("apply the fixture of `{parent}` in a step before this one"));
            return Some(Obstacle { kind: ObstacleKind::ParentChanging, diagnostic });
        }
        let diagnostic = Diagnostic::error(format!("`{parent}` has several rows with {condition}"))
            .at_place(place.clone())
            .help("name more columns, so that one row is meant: `{column: value, …}`");
        Some(Obstacle { kind: ObstacleKind::ParentAmbiguous, diagnostic })
    }
}
