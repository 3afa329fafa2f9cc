//! `delete`: deletes the rows that `where` names.
//!
//! ```yaml
//! - delete: Bob leaves
//!   from: employees
//!   where: {name: Bob}
//!   expect: [deleted, not_found]     # may be run again
//! ```
//!
//! Outcomes: `deleted`; `not_found` when no row matched; `restricted` when a foreign key forbids it
//! (then nothing is deleted, whatever `expect` says). `where` is required: a table is never emptied
//! by leaving something out. A reference in it to a row that is not there is an error.

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step, capture};
use crate::plan::catalog::Catalog;
use crate::plan::resolve::Resolver;
use crate::plan::{Access, Batch, Judgement, number, text};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::instruction::Purpose;
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source};
use crate::project::value::Row;
use crate::project::yaml::Entry;
use crate::seed::load::{Load, Rule};
use crate::seed::{Seeding, seek};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "delete",
    keys: &["from", "where"],
    outcomes: &[Outcome::Deleted, Outcome::NotFound, Outcome::Restricted],
    accepted: &[Outcome::Deleted],
    parse,
};

/// What a `delete` step says.
#[derive(Debug)]
pub struct Delete {
    /// The table.
    pub from: Name,
    /// What the rows have.
    pub filter: Row,
}

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut from, mut filter) = (None, None);
    for entry in entries {
        match entry.key.as_str() {
            "from" => from = reading.text(entry.value, "`from`"),
            "where" => filter = Some(Row::parse_for(Purpose::Find, reading, entry.value, "`where`")),
            _ => reading.unknown_key(&entry, "a `delete` step", KIND.keys),
        }
    }
    if from.is_none() {
        reading.problem_help(
            span,
            "this step does not say from where to delete",
            "name the table: `from: employees`",
        );
    }
    if filter.is_none() {
        reading.problem_help(
            span,
            "this step does not say which rows to delete",
            "name them: `where: {name: Bob}`",
        );
    }
    Some(Box::new(Delete { from: from?, filter: filter?? }))
}

impl Action for Delete {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        vec![&self.from.text]
    }

    fn deletes(&self, _: &Project) -> bool {
        true
    }

    fn cells<'a>(&'a self, source: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        vec![(source, &self.filter.cells)]
    }

    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let table = resolver.table(&self.from).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let rows = std::slice::from_ref(&self.filter);
        let way = (Rule::Never, Vec::new());
        let load = Load::new(1, table, self.from.span, way, rows, resolver, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let capture = capture::row(step, &self.from, &self.filter.cells, true, resolver)?;
        let Seeding { statement, finding } = seek::delete(load);
        let name = table.name.clone();
        let place = Place::new(&step.source, self.filter.span);
        let batch = Batch::ready(
            Access::Write,
            statement,
            &[("23503", Outcome::Restricted), ("23001", Outcome::Restricted)],
            Box::new(move |answer| {
                let obstacles = finding.obstacles(answer);
                if !obstacles.is_empty() {
                    return Err(obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect());
                }
                let [found, deleted] = ["found", "deleted"].map(|what| {
                    answer.iter().find(|row| text(row, 0) == what).map_or(0, |row| number(row, 2))
                });
                if deleted < found {
                    return Err(vec![kept(&name, found, deleted).at_place(place.clone())]);
                }
                if deleted == 0 {
                    let problem = Diagnostic::failed(format!("no row of `{name}` has these values"))
                        .at_place(place.clone())
                        .help("accept it with `expect: [deleted, not_found]` if the step may run again");
                    return Ok(Judgement { problem: Some(problem), ..Judgement::of(Outcome::NotFound) });
                }
                let detail = (deleted > 1).then(|| count(deleted, "row"));
                Ok(Judgement { detail, ..Judgement::of(Outcome::Deleted) })
            }),
        );
        Ok(Batch { capture, ..batch })
    }
}

/// Rows that a delete names and the table keeps.
fn kept(table: &str, found: usize, deleted: usize) -> Diagnostic {
    let message = format!(
        "{} of `{table}` {} to be deleted and {deleted} went: a trigger or rule kept the rest",
        count(found, "row"),
        if found == 1 { "was" } else { "were" },
    );
    Diagnostic::error(message).help(
        "a BEFORE trigger that returns NULL keeps its row: let it return OLD; a row policy may forbid it too",
    )
}
