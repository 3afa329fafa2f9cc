//! Finding: what an answer means, in numbers and in words at the author's places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::filled;
use super::load::{Group, Load, Places, Rule};
use super::lookup::{Lookups, Operand, Sought, sought};
use super::problems::{inexact_leaves, named_by};
use super::stage::{leaf_columns, leaves, text as leaf_text};
use crate::plan::cell::{inexact, inexact_secret};
use crate::plan::{Answer, Reach, number, text};
use crate::project::bulk::{Bulk, FoundRow, Pick};
use crate::project::diagnostic::{Diagnostic, count, did_you_mean};
use crate::project::source::Place;

/// The most rows a load may have for its cells to be pointed at when they differ.
const ROWS_POINTED_MAX: usize = 1_000;

/// Reads the answer of one seeding.
pub struct Finding {
    loads: Vec<Told>,
}

/// What a message needs to know of a load.
struct Told {
    table: String,
    place: Place,
    is_if_empty: bool,
    updates: bool,
    /// Where it is said which rows are deleted.
    removal: Option<Place>,
    places: Places,
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

/// What happened to one load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The table.
    pub table: String,
    /// Rows inserted.
    pub created: usize,
    /// Rows that got values they lacked.
    pub updated: usize,
    /// Rows that were deleted.
    pub deleted: usize,
    /// Rows that were there already.
    pub there: usize,
    /// The numbers of rows that were there, outside of the scope.
    pub outside: Vec<usize>,
    /// Whether the load was left alone because its table has rows.
    pub is_skipped: bool,
    /// Rows that were there, say something else, and were left so; where single cells are not known.
    pub kept: usize,
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
    /// A value that its type would cut or round.
    Inexact,
    /// Rows that were inserted and are not there, or values that were updated and are not.
    Swallowed,
    /// A row that would update several.
    KeyAmbiguous,
    /// A value that the server lets nobody change.
    Fixed,
    /// More rows would be deleted than may be.
    TooMany,
    /// Rows outside of the scope of their fixture.
    Outside,
    /// A row that the index which is its key does not hold.
    Unindexed,
}

impl Finding {
    /// Keeps what messages about these loads will need.
    pub fn of(loads: &[Load], lookups: &Lookups) -> Finding {
        let told = loads.iter().map(|load| {
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
        let mut obstacles = self.obstacles(answer);
        let mut wanted = vec![0; self.loads.len()];
        let mut to_delete = vec![0; self.loads.len()];
        for row in answer {
            let at = number(row, 1).saturating_sub(1);
            let (Some(load), Some(result)) = (self.loads.get(at), applied.get_mut(at)) else { continue };
            match text(row, 0) {
                "rows" => {
                    (result.created, wanted[at]) = (number(row, 2), number(row, 3));
                    result.there = number(row, 4);
                }
                "created" => result.created = number(row, 2),
                "wanted" => wanted[at] = number(row, 2),
                "updated" => result.updated = number(row, 2),
                "to_delete" => to_delete[at] = number(row, 2),
                "deleted" => result.deleted = number(row, 2),
                "outside" => result.outside.push(number(row, 2)),
                "there" => result.there = number(row, 2),
                "kept" => result.kept = number(row, 2),
                "differs" => {
                    if let Some(place) = load.cell(number(row, 2), text(row, 3)) {
                        result.differing.push(Differing {
                            row: number(row, 2),
                            place,
                            column: text(row, 3).to_owned(),
                            actual: row[4].clone(),
                        });
                    }
                }
                _ => {}
            }
        }
        if obstacles.is_empty() {
            let told = self.loads.iter().zip(&wanted).zip(&applied);
            obstacles
                .extend(told.filter_map(|((load, wanted), result)| load.swallowed(*wanted, result.created)));
        }
        if obstacles.is_empty() {
            for ((load, result), wanted) in self.loads.iter().zip(&applied).zip(&to_delete) {
                obstacles.extend(load.kept(*wanted, result.deleted));
            }
            for (load, result) in self.loads.iter().zip(&applied).filter(|(load, _)| load.updates) {
                let kept = result.differing.iter().filter(|_| result.updated == 0);
                obstacles.extend(kept.map(|cell| Obstacle {
                    kind: ObstacleKind::Swallowed,
                    diagnostic: unsettled(&load.table, cell),
                }));
            }
        }
        // A row outside may be on its way in. What is out when nothing moves any more stays out.
        let moves = applied.iter().any(|it| it.created + it.updated + it.deleted > 0);
        if obstacles.is_empty() && !moves {
            for (load, result) in self.loads.iter().zip(&applied) {
                obstacles.extend(result.outside.iter().filter_map(|number| load.outside(*number)));
            }
        }
        for (result, load) in applied.iter_mut().zip(&self.loads) {
            result.is_skipped = load.is_if_empty && result.created == 0 && result.there > 0;
        }
        if obstacles.is_empty() { Ok(applied) } else { Err(obstacles) }
    }

    /// What the statement itself has changed in the loads' tables.
    pub fn reach(&self, answer: &Answer, tables: &[u32]) -> Vec<Reach> {
        let applied = self.read(answer).unwrap_or_default();
        let reach = tables.iter().zip(applied);
        reach.map(|(table, it)| Reach { table: *table, updated: it.updated, deleted: it.deleted }).collect()
    }

    /// Whether a second answer to the same statement, asked behind the first, says that all is as it should
    /// be. If not, triggers or rules undo what is written, and every run would write it again.
    pub fn settled(&self, answer: &Answer) -> Result<(), Vec<Diagnostic>> {
        let applied = self.read(answer).map_err(diagnostics)?;
        let mut wrong = Vec::new();
        for (load, result) in self.loads.iter().zip(&applied) {
            if result.created > 0 {
                let rows = count(result.created, "row");
                let message = format!("{rows} of `{}` cannot be found again by the key", load.table);
                let help = "let the trigger leave the columns of the key alone, or take others as the key";
                wrong.push(undone(message, &load.place).help(help));
            }
            if result.deleted > 0 {
                let message =
                    format!("{} of `{}` would be deleted again", count(result.deleted, "row"), load.table);
                let help = "let no other row of the step, and no trigger, bring back what is deleted";
                wrong.push(undone(message, load.removal.as_ref().unwrap_or(&load.place)).help(help));
            }
            if load.updates {
                wrong.extend(result.differing.iter().map(|cell| unsettled(&load.table, cell)));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// What is wrong with the rows of a statement, each thing once: several rows may share a value.
    pub fn obstacles(&self, answer: &Answer) -> Vec<Obstacle> {
        self.loads.iter().zip(1..).for_each(|(load, number)| load.find(number, answer));
        let mut obstacles: Vec<Obstacle> = Vec::new();
        for row in answer {
            let what = text(row, 0);
            let found = match what {
                "missing" | "ambiguous" => self.load(row).and_then(|load| load.unfound(what, row)),
                "inexact" => self.load(row).and_then(|load| load.inexact(row)),
                "duplicate" => self.duplicate(row),
                "too_many" => self.load(row).and_then(|load| load.too_many(row)),
                "several" => self.load(row).and_then(|load| load.several(row)),
                "unindexed" => self.load(row).and_then(|load| load.unindexed(row)),
                "fixed" => self.load(row).and_then(|load| load.fixed(row)),
                _ => None,
            };
            let is_new = |it: &Obstacle| !obstacles.iter().any(|known| known.diagnostic == it.diagnostic);
            let found = found.filter(is_new);
            obstacles.extend(found);
        }
        obstacles.sort_by_key(|obstacle| {
            let place = obstacle.diagnostic.place.as_ref();
            place.map(|place| (place.source.path.clone(), place.span.start))
        });
        obstacles
    }

    fn load(&self, row: &[Option<String>]) -> Option<&Told> {
        self.loads.get(number(row, 1).checked_sub(1)?)
    }

    fn duplicate(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let load = self.load(row)?;
        let place = load.places.get(number(row, 2))?;
        let (first_load, first_row) = text(row, 3).split_once('.')?;
        let first_load = self.loads.get(first_load.parse::<usize>().ok()?.checked_sub(1)?)?;
        let first = first_load.places.get(first_row.parse().ok()?)?;
        let diagnostic = Diagnostic::error(format!("two rows of `{}` have the same key", load.table))
            .at_place(place.clone())
            .help("keep one of the two");
        let diagnostic = match first.source == place.source {
            true => diagnostic.context(first.span, "first here"),
            false => diagnostic.note(format!("the first is at {first}")),
        };
        Some(Obstacle { kind: ObstacleKind::Duplicate, diagnostic })
    }
}

/// The words for each obstacle.
pub fn diagnostics(obstacles: Vec<Obstacle>) -> Vec<Diagnostic> {
    obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect()
}

/// A value that was written and is not there.
fn unsettled(table: &str, cell: &Differing) -> Diagnostic {
    let actual = cell.actual.as_deref().map_or("NULL".to_owned(), |text| format!("`{text}`"));
    let message = format!("`{table}.{}` never settles: it is {actual} again", cell.column);
    undone(message, &cell.place)
        .help("write what the trigger makes of it, leave it out, or list it under `insert_only`")
}

fn undone(message: String, place: &Place) -> Diagnostic {
    Diagnostic::error(message)
        .at_place(place.clone())
        .note("a trigger or rule changes what is written: every run would write it again")
}

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
    /// A row of a file, read again.
    fn found(&self, row: usize) -> Option<(&ToldFile, FoundRow)> {
        self.files.iter().find_map(|file| {
            let known = file.found.lock().unwrap_or_else(PoisonError::into_inner).get(&row).cloned();
            Some((file, known.or_else(|| file.bulk.row(row, &file.pick))?))
        })
    }

    /// Reads the rows of a file that an answer speaks of, all at once.
    fn find(&self, number_of_load: usize, answer: &Answer) {
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
    fn cell(&self, row: usize, column: &str) -> Option<Place> {
        if let Some((file, found)) = self.found(row) {
            let own = file.columns.iter().find(|(name, _)| name == column);
            return own.and_then(|(_, at)| found.places.get(*at).cloned()).or(found.place());
        }
        let cell = self.cells.iter().find(|(number, name, _)| *number == row && name == column);
        cell.map(|(_, _, place)| place.clone()).or_else(|| self.places.get(row))
    }

    fn swallowed(&self, wanted: usize, created: usize) -> Option<Obstacle> {
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

    fn kept(&self, wanted: usize, deleted: usize) -> Option<Obstacle> {
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

    fn too_many(&self, row: &[Option<String>]) -> Option<Obstacle> {
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

    fn outside(&self, number: usize) -> Option<Obstacle> {
        let place = self.places.get(number)?;
        let diagnostic =
            Diagnostic::error(format!("this row of `{}` is outside of the fixture's scope", self.table))
                .at_place(place.clone())
                .help("give it the values that `scope` names, or widen the scope");
        Some(Obstacle { kind: ObstacleKind::Outside, diagnostic })
    }

    fn several(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let place = self.places.get(number(row, 2))?;
        let diagnostic = Diagnostic::error(format!("`{}` has several rows with this key", self.table))
            .at_place(place.clone())
            .note("all of them would be changed or deleted")
            .help("name more columns under `key`, so that one row is meant");
        Some(Obstacle { kind: ObstacleKind::KeyAmbiguous, diagnostic })
    }

    fn unindexed(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let diagnostic =
            Diagnostic::error(format!("this row of `{}` is not in the index that is its key", self.table))
                .at_place(self.places.get(number(row, 2))?)
                .note(format!("the index holds rows where {}", text(row, 4)))
                .help("give it values that the index holds, or name another key");
        Some(Obstacle { kind: ObstacleKind::Unindexed, diagnostic })
    }

    fn fixed(&self, row: &[Option<String>]) -> Option<Obstacle> {
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

    fn inexact(&self, row: &[Option<String>]) -> Option<Obstacle> {
        let (value, exactly, place) = self.inexact.get(&(number(row, 2), text(row, 3).parse().ok()?))?;
        let diagnostic = match value {
            Some(value) => inexact(value, exactly, text(row, 4)),
            None => inexact_secret(exactly),
        };
        let diagnostic = diagnostic.at_place(place.clone());
        Some(Obstacle { kind: ObstacleKind::Inexact, diagnostic })
    }

    fn unfound(&self, what: &str, row: &[Option<String>]) -> Option<Obstacle> {
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
        let diagnostic = Diagnostic::error(format!("`{parent}` has several rows with {condition}"))
            .at_place(place.clone())
            .help("name more columns, so that one row is meant: `{column: value, …}`");
        Some(Obstacle { kind: ObstacleKind::ParentAmbiguous, diagnostic })
    }
}
