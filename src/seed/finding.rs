//! Finding: what an answer means, in numbers and in words at the author's places.

mod told;

use super::load::Load;
use super::lookup::Lookups;
use crate::plan::{Answer, Reach, number, text};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::source::Place;
use told::Told;

/// Reads the answer of one seeding.
pub struct Finding {
    loads: Vec<Told>,
}

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
    /// A reference by what changes at the same time.
    ParentChanging,
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
        Finding { loads: loads.iter().map(|load| Told::of(load, lookups)).collect() }
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
                "missing" | "ambiguous" | "changing" => {
                    self.load(row).and_then(|load| load.unfound(what, row))
                }
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
