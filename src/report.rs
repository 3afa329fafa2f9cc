//! WHAT HAPPENED: events while it happens, a report when it has, and one small file per format.

pub mod event;
pub mod exit;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod lines;
pub mod log;
pub mod problems;
mod shown;
pub mod suite;
pub mod tap;
pub mod text;

use std::time::Duration;

use crate::plan::Rewrite;
use crate::plan::sent::Sent;
use crate::plan::wrote::Wrote;
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::source::Place;
use crate::project::values::Captured;
use crate::step::Outcome;
use exit::Exit;

/// Everything one command did.
#[derive(Debug, Default)]
pub struct Report {
    /// The database, as `user@host:port/name`.
    pub target: String,
    /// Tells this run from all others, in the ledger and in what the server calls us.
    pub run: String,
    /// Migrations applied, in order.
    pub migrations: Vec<Migrated>,
    /// How many migrations had been applied before.
    pub applied_before: usize,
    /// Scenarios in the order they ran.
    pub scenarios: Vec<ScenarioReport>,
    /// Whether everything was rolled back at the end, because it was only tried.
    pub is_rehearsal: bool,
    /// What stopped the command as a whole.
    pub stopped: Option<(Exit, Vec<Diagnostic>)>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A migration that was applied.
#[derive(Debug, Clone)]
pub struct Migrated {
    /// `V1 create_roster`
    pub title: String,
    /// How long it took.
    pub elapsed: Duration,
    /// How many tries it took.
    pub attempts: u32,
    /// Whether another runner applied it while this one was on its way to it.
    pub is_other_s: bool,
}

/// One scenario.
#[derive(Debug)]
pub struct ScenarioReport {
    /// Its title.
    pub title: String,
    /// Its file.
    pub file: String,
    /// Its steps, those that did not run included.
    pub steps: Vec<StepReport>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// The kind's word.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub place: Place,
    /// How it ended.
    pub end: End,
    /// Whether it is run whatever became of the steps before it.
    pub is_final: bool,
    /// A few words beside the outcome; why it was skipped, if it was.
    pub detail: Option<String>,
    /// What it wrote, by table; empty when it was rolled back.
    pub wrote: Vec<Wrote>,
    /// The row it is about, for later steps; it is not shown.
    pub captured: Option<Captured>,
    /// How it can be written anew, so that it holds; it is not shown.
    pub rewrite: Option<Rewrite>,
    /// How many tries it took; 0 when it did not run.
    pub attempts: u32,
    /// What the tries that had to be made again ran into, in order.
    pub retried: Vec<String>,
    /// What it sent, if that is wanted.
    pub sent: Vec<Sent>,
    /// When it began, from the begin of the run.
    pub begun: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// What is to be said about it.
    pub diagnostics: Vec<Diagnostic>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an outcome that is accepted.
    Accepted(Outcome),
    /// With one that is accepted now that its file is written anew.
    Updated(Outcome),
    /// With one that is not; rolled back.
    Refused(Outcome),
    /// Without an outcome: an error; rolled back.
    Error,
    /// Nobody knows: the answer to its commit was lost, and nobody could be asked.
    Unknown,
    /// Not begun, because an earlier step did not hold.
    NotRun,
    /// Not begun, because its author says so, or because of how an earlier step ended.
    Skipped,
}

impl End {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            End::Accepted(outcome) | End::Refused(outcome) => outcome.word(),
            End::Updated(_) => "updated",
            End::Error => "error",
            End::Unknown => "unknown",
            End::NotRun => "not run",
            End::Skipped => "skipped",
        }
    }

    /// The outcome, if it came to one.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            End::Accepted(outcome) | End::Updated(outcome) | End::Refused(outcome) => Some(outcome),
            End::Error | End::Unknown | End::NotRun | End::Skipped => None,
        }
    }

    /// Whether it is as the author wants it.
    pub fn is_accepted(self) -> bool {
        matches!(self, End::Accepted(_) | End::Updated(_))
    }
}

impl Report {
    /// The exit status of the command.
    pub fn exit(&self) -> Exit {
        if let Some((exit, _)) = &self.stopped {
            return *exit;
        }
        let all_held = self.steps().all(|step| step.end.is_accepted() || step.end == End::Skipped);
        if all_held { Exit::Held } else { Exit::DidNotHold }
    }

    /// The steps of all scenarios.
    pub fn steps(&self) -> impl Iterator<Item = &StepReport> {
        self.scenarios.iter().flat_map(|scenario| &scenario.steps)
    }

    /// What is to be said of the command as a whole, beside its steps.
    pub fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.stopped.iter().flat_map(|(_, diagnostics)| diagnostics)
    }
}

/// Whether any of the diagnostics keeps the work from being done.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
