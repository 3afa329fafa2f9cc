//! Facts: what is found out one after the other in one transaction, and judged for itself.

use super::intake::Intake;
use super::snapshot::{Compared, Selection};
use super::wrote::{Named, Written};
use super::{Answer, Batch, Judgement, Statement};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::source::Place;
use crate::step::Outcome;

/// Some facts, and how they are found out.
pub enum Fact {
    /// The server is asked.
    Asked(Asked),
    /// Tables are compared with what was kept of them.
    Kept(Kept),
    /// Something is done and undone again, and what it wrote is looked at.
    Tried(Tried),
}

/// Facts that one answer tells.
pub struct Asked {
    /// The files whose rows the statement needs.
    pub intakes: Vec<Intake>,
    /// What is asked.
    pub statement: Statement,
    /// What the answer means.
    pub judge: JudgeFacts,
}

/// Judges an answer, or says what left it without a meaning.
pub type JudgeFacts = Box<dyn Fn(&Answer) -> Result<Told, Vec<Diagnostic>> + Send + Sync>;

/// Tables that shall be as they were.
pub struct Kept {
    /// Which.
    pub selection: Selection,
    /// Where the author says so.
    pub place: Place,
    /// What the comparison means.
    pub judge: Box<dyn Fn(&Compared) -> Told + Send + Sync>,
}

/// Something that shall write nothing.
pub struct Tried {
    /// What is done.
    pub batch: Box<Batch>,
    /// What came of it means.
    pub judge: Box<dyn Fn(&Trial) -> Told + Send + Sync>,
}

/// What came of something that was tried.
#[derive(Debug)]
pub struct Trial {
    /// How it ended.
    pub judgement: Judgement,
    /// What it wrote.
    pub written: Written,
    /// Sequences that it moved.
    pub moved: Vec<Named>,
}

/// Some facts, of which some may not be true.
#[derive(Debug, Default)]
pub struct Told {
    /// How many they are.
    pub facts: usize,
    /// Those that are not true.
    pub failures: Vec<Diagnostic>,
}

/// How a step of such facts ended.
pub fn judgement(told: Vec<Told>) -> Judgement {
    let all = count(told.iter().map(|told| told.facts).sum(), "fact");
    let mut failures = told.into_iter().flat_map(|told| told.failures);
    let first = failures.next();
    let more = failures.count();
    match first {
        None => Judgement { detail: Some(all), ..Judgement::of(Outcome::Held) },
        Some(problem) => {
            let problem =
                if more > 0 { problem.note(format!("{more} more of {all} differ")) } else { problem };
            Judgement { problem: Some(problem), ..Judgement::of(Outcome::Differs) }
        }
    }
}
