//! Equal: fixtures whose rows are in their tables, and nothing else.
//!
//! What seeding would do to the tables is looked for, as `plan` does: what it would insert, update or delete
//! is what differs.

use std::sync::Arc;

use crate::plan::Answer;
use crate::plan::catalog::Catalog;
use crate::plan::fact::{Asked, Told};
use crate::plan::resolve::Resolver;
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::fixture::Mode;
use crate::project::grid::{Grid, Line, shown};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source};
use crate::project::yaml::Entry;
use crate::seed::finding::{Obstacle, ObstacleKind, diagnostics};
use crate::seed::fixture::{self, Taking};
use crate::seed::load::Load;
use crate::seed::look::{Change, ChangeKind, Foreseen, Look};
use crate::step::Step;

/// The most rows of a table that are shown.
const SHOWN_MAX: usize = 20;

/// A fixture whose rows are there.
#[derive(Debug)]
pub struct Equal {
    /// The fixture.
    pub fixture: Name,
    /// Whether no other rows are.
    pub is_all: bool,
}

/// Reads `matches` or `equals`.
pub fn read(reading: &mut Reading, entry: Entry, equals: &mut Vec<Equal>) {
    let is_all = entry.key == "equals";
    let names = reading.names(entry.value, &format!("`{}`", entry.key));
    for fixture in names {
        if equals.iter().any(|known| known.is_all != is_all && known.fixture.text == fixture.text) {
            let help = "what `equals` a fixture matches it too: leave it out under `matches`";
            reading.problem_help(fixture.span, format!("`{}` is named twice", fixture.text), help);
        }
        equals.push(Equal { fixture, is_all });
    }
}

/// The statement that finds all of them out.
pub fn compile(
    equals: &[Equal],
    step: &Step,
    project: &Project,
    catalog: &Catalog,
) -> Result<Asked, Vec<Diagnostic>> {
    let (mut loads, mut names, mut problems): (Vec<Load>, Vec<(Place, bool)>, Vec<Diagnostic>) =
        Default::default();
    for equal in equals {
        for fixture in project.fixtures_named(&equal.fixture.text) {
            let resolver = Resolver { catalog, source: &fixture.source, outside: &project.outside };
            let way = (Taking::All, Mode::Upsert);
            match fixture::load(loads.len() + 1, fixture, way, resolver, &mut problems) {
                Ok(Some(mut load)) => {
                    if equal.is_all {
                        fixture::close(&mut load, fixture, resolver, &mut problems);
                    }
                    loads.push(load);
                    names.push((Place::new(&step.source, equal.fixture.span), equal.is_all));
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut look = Look::new(Vec::new(), loads).map_err(|problem| vec![problem])?;
    let (intakes, statement) = (look.intakes.clone(), look.take_statement());
    let source = step.source.clone();
    let judge = move |answer: &Answer| {
        let facts = names.len();
        let foreseen = match look.judge(answer) {
            Ok(foreseen) => foreseen,
            // A row whose parent is not there is not there either.
            Err(obstacles) if obstacles.iter().all(|it| is_parent(it.kind)) => {
                return Ok(Told { facts, failures: orphans(obstacles).into_iter().collect() });
            }
            Err(obstacles) => return Err(diagnostics(obstacles)),
        };
        let told = foreseen.iter().zip(&names);
        let failures = told.filter_map(|(foreseen, name)| judge(foreseen, name, &source)).collect();
        Ok(Told { facts, failures })
    };
    Ok(Asked { intakes, statement, judge: Box::new(judge) })
}

/// The rows whose parents are not there, as one failure.
fn orphans(obstacles: Vec<Obstacle>) -> Option<Diagnostic> {
    let more = obstacles.len().saturating_sub(1);
    let first = diagnostics(obstacles).into_iter().next()?;
    let are = if more == 1 { "leads" } else { "lead" };
    Some(match more {
        0 => first,
        _ => first.note(format!("{} {are} to no row either, or to several", count(more, "more reference"))),
    })
}

fn is_parent(kind: ObstacleKind) -> bool {
    matches!(kind, ObstacleKind::ParentMissing | ObstacleKind::ParentAmbiguous)
}

/// What is wrong with one table, if anything is.
fn judge(foreseen: &Foreseen, (name, is_all): &(Place, bool), source: &Arc<Source>) -> Option<Diagnostic> {
    let Foreseen { table, inserted, updated, deleted, changes, .. } = foreseen;
    let parts = [
        (*inserted, "missing", "missing"),
        (*updated, "different", "different"),
        (*deleted, "too many", "too many"),
    ];
    let parts = parts.iter().filter(|(rows, ..)| *rows > 0);
    let parts: Vec<String> = parts
        .enumerate()
        .map(|(at, (rows, one, several))| {
            let word = if *rows == 1 { one } else { several };
            let are = if *rows == 1 { "is" } else { "are" };
            match at {
                0 => format!("{} of `{table}` {are} {word}", count(*rows, "row")),
                _ => format!("{rows} {are} {word}"),
            }
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let place = changes.iter().find_map(|change| change.place.clone());
    let is_elsewhere = place.as_ref().is_some_and(|place| place.source != *source);
    let mut problem = Diagnostic::failed(parts.join(", "))
        .at_place(place.unwrap_or_else(|| name.clone()))
        .grid(draw(changes, inserted + updated + deleted));
    if is_elsewhere {
        let key = if *is_all { "equals" } else { "matches" };
        problem = problem.note(format!("`{key}` stands at {name}"));
    }
    Some(problem)
}

/// The rows that differ, in columns.
fn draw(changes: &[Change], all: usize) -> Grid {
    let told = &changes[..changes.len().min(SHOWN_MAX)];
    let mut columns: Vec<&str> = Vec::new();
    for change in told {
        let names = change.values.iter().map(|(name, _)| name).chain(change.cells.iter().map(|cell| &cell.0));
        for name in names {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let mut lines: Vec<Line> = vec![(" ", columns.iter().map(|name| (*name).to_owned()).collect())];
    for change in told {
        let sign = match change.kind {
            ChangeKind::Insert => "-",
            ChangeKind::Update => "~",
            ChangeKind::Delete => "+",
        };
        let cell = |name: &&str| {
            let changed = change.cells.iter().find(|(column, ..)| column == name);
            if let Some((_, old, new)) = changed {
                return format!("{} → {}", shown(old.as_deref(), 0), shown(new.as_deref(), 0));
            }
            let own = change.values.iter().find(|(column, _)| column == name);
            own.map_or(String::new(), |(_, value)| shown(value.as_deref(), 0))
        };
        lines.push((sign, columns.iter().map(cell).collect()));
    }
    let more = (all > told.len()).then(|| count(all - told.len(), "more row"));
    let legend = Some("- missing, + too many, ~ in the table → in the fixture");
    Grid { legend, lines, more: more.into_iter().collect(), ..Grid::default() }
}
