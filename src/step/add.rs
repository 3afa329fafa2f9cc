//! `add`: inserts one row or some rows; with `key`, only those that are absent.
//!
//! ```yaml
//! - add: David joins Information Technology
//!   into: employees
//!   key: [name, department]        # with it: unless a row has the same values here
//!   row: {name: David, department: Information Technology}
//! ```
//!
//! Outcomes: `added`; `present` when the row was there; `differs` when it was there and another of
//! its columns says something else; `parent_not_found` and `parent_ambiguous` when a reference
//! names no row or several. Nothing is written unless the end is one that `expect` accepts.

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step, capture};
use crate::plan::catalog::Catalog;
use crate::plan::resolve::Resolver;
use crate::plan::{Access, Batch, Judgement};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::instruction::Purpose;
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source};
use crate::project::value::{Row, stem};
use crate::project::yaml::Entry;
use crate::seed::finding::{Applied, Differing, Obstacle, ObstacleKind};
use crate::seed::load::{Given, Load, Rule, written_key};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "add",
    keys: &["into", "key", "row", "rows"],
    outcomes: &[
        Outcome::Added,
        Outcome::Present,
        Outcome::Differs,
        Outcome::ParentNotFound,
        Outcome::ParentAmbiguous,
    ],
    accepted: &[Outcome::Added, Outcome::Present],
    parse,
};

/// What an `add` step says.
#[derive(Debug)]
pub struct Add {
    /// The table.
    pub into: Name,
    /// The columns that tell whether a row is there.
    pub key: Option<Vec<Name>>,
    /// At least one.
    pub rows: Vec<Row>,
}

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut into, mut key, mut rows) = (None, None, None);
    for entry in entries {
        match entry.key.as_str() {
            "into" => into = reading.text(entry.value, "`into`"),
            "key" => key = Some(reading.names(entry.value, "`key`")),
            "row" | "rows" if rows.is_some() => {
                reading.problem_help(
                    entry.key_span,
                    "`row` and `rows` are both given",
                    "keep one of the two",
                );
            }
            "row" => {
                let row = Row::parse_for(Purpose::Write, reading, entry.value, "`row`");
                rows = Some(row.into_iter().collect());
            }
            "rows" => {
                let items = reading.list(entry.value, "`rows`")?;
                rows = Some(
                    items
                        .into_iter()
                        .filter_map(|item| Row::parse_for(Purpose::Write, reading, item, "a row"))
                        .collect::<Vec<_>>(),
                );
            }
            _ => reading.unknown_key(&entry, "an `add` step", KIND.keys),
        }
    }
    if into.is_none() {
        reading.problem_help(
            span,
            "this step does not say where to add",
            "name the table: `into: employees`",
        );
    }
    if rows.as_ref().is_none_or(Vec::is_empty) {
        reading.problem_help(span, "this step adds nothing", "write the row: `row: {name: David}`");
    }
    Some(Box::new(Add { into: into?, key, rows: rows? }))
}

impl Action for Add {
    fn check(&self, _: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
        for name in self.key.iter().flatten() {
            for row in &self.rows {
                let gives = |cell: &Entry| stem(&cell.key) == stem(&name.text);
                if !row.cells.iter().any(gives) {
                    problems.push(
                        Diagnostic::error(format!(
                            "the row gives no `{}`, which is part of its key",
                            name.text
                        ))
                        .at(source, row.span)
                        .context(name.span, "the key"),
                    );
                }
            }
        }
    }

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        vec![&self.into.text]
    }

    fn cells<'a>(&'a self, source: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        self.rows.iter().map(|row| (source, row.cells.as_slice())).collect()
    }

    fn foreseen<'c>(
        &self,
        step: &Step,
        project: &Project,
        catalog: &'c Catalog,
    ) -> Option<Result<Vec<Load<'c>>, Vec<Diagnostic>>> {
        Some(self.load(step, project, catalog).map(|load| vec![load]))
    }

    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let load = self.load(step, project, catalog)?;
        let seeding = crate::seed::compile(&[load]).map_err(|problem| vec![problem])?;
        let finding = seeding.finding;
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let capture = match self.rows.as_slice() {
            [row] => capture::row(step, &self.into, &self.telling(row), false, resolver)?,
            _ => None,
        };
        let batch = Batch::ready(
            Access::Write,
            seeding.statement,
            &[],
            Box::new(move |answer| match finding.read(answer) {
                Ok(applied) => Ok(applied.first().map_or_else(nothing, judge)),
                Err(obstacles) => refuse(obstacles),
            }),
        );
        Ok(Batch { capture, ..batch })
    }
}

impl Add {
    /// The cells of a row that tell which one it is: those of the key, else all of them.
    fn telling(&self, row: &Row) -> Vec<Entry> {
        let Some(key) = &self.key else { return row.cells.clone() };
        let is_key = |cell: &&Entry| key.iter().any(|name| stem(&name.text) == stem(&cell.key));
        row.cells.iter().filter(is_key).cloned().collect()
    }

    fn load<'c>(
        &self,
        step: &Step,
        project: &Project,
        catalog: &'c Catalog,
    ) -> Result<Load<'c>, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let table = resolver.table(&self.into).map_err(|problem| vec![problem])?;
        let way = match &self.key {
            Some(key) => {
                (Rule::KeyIsMissing, written_key(table, key, resolver).map_err(|problem| vec![problem])?)
            }
            None => (Rule::Always, Vec::new()),
        };
        let mut problems = Vec::new();
        let may_lack = step.expect.refusal().is_some();
        let given = self.rows.iter().map(|row| Given { may_lack, ..Given::of(row, table, resolver) });
        let place = Place::new(&step.source, self.into.span);
        let load = Load::of(1, table, place, way, given.collect(), &mut problems);
        if problems.is_empty() { Ok(load) } else { Err(problems) }
    }
}

fn nothing() -> Judgement {
    Judgement::of(Outcome::Present)
}

fn judge(applied: &Applied) -> Judgement {
    if let Some(Differing { place, column, actual, .. }) = applied.differing.first() {
        let actual = actual.as_ref().map_or("null".to_owned(), |actual| format!("'{actual}'"));
        let problem = Diagnostic::failed("the row is there, and says something else")
            .at_place(place.clone())
            .note(format!("`{column}` is {actual} in the database"))
            .help("`add` never changes a row: correct the step, or accept it with `expect: [added, present, differs]`");
        // Where that is accepted, those that were missing are there now.
        let has_written = applied.created > 0;
        return Judgement { problem: Some(problem), has_written, ..Judgement::of(Outcome::Differs) };
    }
    let rows = applied.created + applied.there;
    let detail = (rows > 1).then(|| format!("{} of {}", applied.created, count(rows, "row")));
    let outcome = if applied.created > 0 { Outcome::Added } else { Outcome::Present };
    Judgement { detail, ..Judgement::of(outcome) }
}

/// A parent that is missing or ambiguous is an end of the step; all else is a mistake in it.
fn refuse(obstacles: Vec<Obstacle>) -> Result<Judgement, Vec<Diagnostic>> {
    let is_parent = |obstacle: &Obstacle| {
        matches!(obstacle.kind, ObstacleKind::ParentMissing | ObstacleKind::ParentAmbiguous)
    };
    if !obstacles.iter().all(is_parent) {
        return Err(obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect());
    }
    let Some(first) = obstacles.into_iter().next() else { return Ok(nothing()) };
    let outcome = match first.kind {
        ObstacleKind::ParentAmbiguous => Outcome::ParentAmbiguous,
        _ => Outcome::ParentNotFound,
    };
    let mut problem = first.diagnostic;
    problem.severity = crate::project::diagnostic::Severity::Failed;
    Ok(Judgement { problem: Some(problem), ..Judgement::of(outcome) })
}
