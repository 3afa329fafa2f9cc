//! Expectations that do not hold and are written anew: what is changed is gathered while a story runs, and
//! written when it is over.

use std::sync::Arc;

use super::{Run, Stop, Story};
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::edit::Edit;
use crate::project::save;
use crate::project::source::Source;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{End, StepReport};
use crate::step::Step;

/// Whoever decides which expectations are written anew.
pub struct Update<'a> {
    /// Is asked of each step that does not hold, and of what would be changed in its file.
    pub decide: &'a dyn Fn(&StepReport, &[Edit]) -> Decision,
}

/// What becomes of one expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is written anew.
    Write,
    /// It stays, and its step has failed.
    Leave,
    /// The same, for a reason that is told.
    Refuse(String),
}

/// What is changed in the file of a story.
#[derive(Debug, Default)]
pub struct Rewriting {
    source: Option<Arc<Source>>,
    edits: Vec<Edit>,
    steps: usize,
}

impl Run<'_> {
    /// Lets a step that does not hold be written anew, and goes on as if it had held.
    pub(super) fn update(
        &mut self,
        story: &Story,
        step: &Step,
        report: &mut StepReport,
        rewriting: &mut Rewriting,
    ) {
        let (Some(update), Some(rewrite)) = (&self.work.update, report.rewrite.take()) else { return };
        let refuse = |report: &mut StepReport, reason: &str| {
            for problem in report.diagnostics.iter_mut().filter(|it| it.severity == Severity::Failed) {
                problem.notes.push(format!("not updated: {reason}"));
            }
        };
        if step.control.eventually.is_some() {
            return refuse(report, "a step that waits says what it waits for");
        }
        if step.links.case_of.is_some() {
            return refuse(report, "it is one of several cases of a step");
        }
        if step.source.path != story.file {
            return refuse(report, "it stands in a file that other scenarios may use");
        }
        let rewritten = match rewrite.find() {
            Ok(rewritten) => rewritten,
            Err(reason) => return refuse(report, &reason),
        };
        if !step.expect.accepts(rewritten.outcome) {
            return;
        }
        // No lock is held while a person thinks.
        if let Ok(session) = self.connection.session(self.emit) {
            let _ = session.rollback();
        }
        match (update.decide)(report, &rewritten.edits) {
            Decision::Write => {}
            Decision::Leave => return,
            Decision::Refuse(reason) => return refuse(report, &reason),
        }
        report.end = End::Updated(rewritten.outcome);
        report.detail = rewritten.detail;
        report.captured = rewritten.captured;
        report.diagnostics.retain(|it| it.severity == Severity::Warning);
        rewriting.source = Some(step.source.clone());
        rewriting.edits.extend(rewritten.edits);
        rewriting.steps += 1;
    }

    /// Writes what was changed, whatever became of the story; but nothing once the run was told to end.
    pub(super) fn save(&mut self, rewriting: Rewriting, stops: &[Stop]) -> Result<(), Diagnostic> {
        let Some(source) = rewriting.source else { return Ok(()) };
        if stops.iter().any(|stop| matches!(stop.exit, Exit::Interrupted(_))) {
            let message = format!("`{}` was left as it is: the run was interrupted", source.path);
            return Err(Diagnostic::error(message).help("run again with `--update`"));
        }
        save::save(&source, &rewriting.edits)?;
        (self.emit)(Event::Updated { file: &source.path, steps: rewriting.steps });
        Ok(())
    }
}
