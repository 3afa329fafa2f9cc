//! Idempotent: fixtures that would write nothing if they were seeded again. It is tried, and undone.

use crate::plan::catalog::Catalog;
use crate::plan::fact::{Told, Trial, Tried};
use crate::plan::wrote::{Written, shown};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::grid::{Grid, Line};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Span};
use crate::project::yaml::Entry;
use crate::step::seed::{Purpose, Seed};
use crate::step::{Action, Step};

/// Fixtures that are seeded again.
#[derive(Debug)]
pub struct Idempotent {
    /// The step that does it.
    pub seed: Seed,
    /// Where the author names them.
    pub span: Span,
}

/// Reads the names of fixtures.
pub fn read(reading: &mut Reading, entry: Entry) -> Option<Idempotent> {
    let fixtures = reading.names(entry.value, "`idempotent`");
    let span = fixtures.first()?.span;
    let seed = Seed { fixtures, tables: Vec::new(), mode: None, purpose: Purpose::Apply };
    Some(Idempotent { seed, span })
}

impl Idempotent {
    /// The fixtures.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.seed.fixtures.iter()
    }

    /// What is tried, and what it means.
    pub fn compile(
        &self,
        step: &Step,
        project: &Project,
        catalog: &Catalog,
    ) -> Result<Tried, Vec<Diagnostic>> {
        let batch = Box::new(self.seed.compile(step, project, catalog)?);
        let (facts, place) = (self.seed.fixtures.len(), Place::new(&step.source, self.span));
        let judge = move |trial: &Trial| Told { facts, failures: judge(trial, &place).into_iter().collect() };
        Ok(Tried { batch, judge: Box::new(judge) })
    }
}

/// What is wrong with what was tried, if anything is.
fn judge(trial: &Trial, place: &Place) -> Option<Diagnostic> {
    let Trial { judgement, written, moved } = trial;
    let moved: Vec<String> =
        moved.iter().map(|(schema, name)| format!("`{}`", shown(schema, name))).collect();
    let message = match first(written) {
        Some(words) => format!("seeding again writes: {words}"),
        None if judgement.outcome.has_written() => {
            format!("seeding again ends as `{}`", judgement.outcome.word())
        }
        None if !moved.is_empty() => {
            let noun = if moved.len() == 1 { "the sequence" } else { "the sequences" };
            format!("seeding again moves {noun} {}", moved.join(", "))
        }
        None => return None,
    };
    let mut problem = Diagnostic::failed(message).at_place(place.clone());
    let mut lines: Vec<Line> = vec![(" ", ["table", "written"].map(str::to_owned).to_vec())];
    for wrote in &written.tables {
        let counts = wrote.rows.iter().zip(["inserted", "updated", "deleted"]).filter(|(rows, _)| **rows > 0);
        let counts: Vec<String> = counts.map(|(rows, word)| format!("{word} {rows}")).collect();
        lines.push((" ", vec![wrote.name(), counts.join(", ")]));
    }
    for (schema, table) in &written.remade {
        lines.push((" ", vec![shown(schema, table), "emptied, rewritten or dropped".to_owned()]));
    }
    if lines.len() > 1 {
        problem = problem.grid(Grid::of(lines));
        if !moved.is_empty() {
            problem = problem.note(format!(
                "it moves {} {}",
                if moved.len() == 1 { "a sequence:" } else { "sequences:" },
                moved.join(", ")
            ));
        }
    }
    Some(problem.note("it was rolled back, apart from numbers that sequences have given out"))
}

/// The first thing that was written.
fn first(written: &Written) -> Option<String> {
    let of_rows = written.tables.first().and_then(|wrote| {
        let words = ["inserted into", "updated in", "deleted from"];
        let (rows, word) = wrote.rows.iter().zip(words).find(|(rows, _)| **rows > 0)?;
        let are = if *rows == 1 { "is" } else { "are" };
        Some(format!("{} {are} {word} `{}`", count(*rows as usize, "row"), wrote.name()))
    });
    let remade = || {
        let (schema, table) = written.remade.first()?;
        Some(format!("`{}` is emptied, rewritten or dropped", shown(schema, table)))
    };
    of_rows.or_else(remade)
}
