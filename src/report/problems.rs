//! Problems: which of them say why a step, a test or the suite ended as it did.
//!
//! A report that counts failures has one for everything that failed, and something to say about each.

use std::borrow::Cow;

use super::exit::Exit;
use super::suite::{SuiteReport, TestReport, Verdict};
use super::{End, StepReport};
use crate::project::diagnostic::{Diagnostic, Severity};

/// Problems of a report, and what is said where it has none.
pub type Reasons<'a> = Vec<Cow<'a, Diagnostic>>;

impl TestReport {
    /// Why one of its steps failed; nothing if it did not.
    ///
    /// A step that took the whole test with it, as a connection does that is lost for good, says nothing
    /// of its own: what stopped the test is what stopped the step.
    pub fn reasons<'a>(&'a self, step: &'a StepReport) -> Reasons<'a> {
        if !step.is_failed() {
            return Reasons::new();
        }
        let own: Reasons = errors(&step.diagnostics).collect();
        if !own.is_empty() {
            return own;
        }
        let is_first = self.silent_step().is_some_and(|first| std::ptr::eq(first, step));
        let lent = if is_first { self.unsaid() } else { Reasons::new() };
        if !lent.is_empty() {
            return lent;
        }
        let message = format!("{} `{}` ended as `{}`", step.kind, step.title, step.end.word());
        vec![Cow::Owned(Diagnostic::error(message).at_place(step.place.clone()))]
    }

    /// Why it could not be run to its end, if none of its steps says so.
    pub fn own_reasons(&self) -> Reasons<'_> {
        if self.silent_step().is_some() {
            return Reasons::new();
        }
        let unsaid = self.unsaid();
        let is_bad = matches!(self.verdict(), Verdict::Failed | Verdict::Error);
        match self.exit {
            Some(exit) if is_bad && unsaid.is_empty() && !self.all_steps().any(StepReport::is_failed) => {
                vec![Cow::Owned(ended("the test", exit))]
            }
            _ => unsaid,
        }
    }

    /// Why a step that was not begun was not.
    pub fn why_not(&self, step: &StepReport) -> String {
        match (&step.detail, self.exit) {
            (Some(detail), _) => detail.clone(),
            (None, Some(_)) if step.end == End::Skipped => "skipped".to_owned(),
            (None, Some(_)) if self.all_steps().any(StepReport::is_failed) => {
                "an earlier step did not hold".to_owned()
            }
            (None, Some(_)) => "the test was not run to its end".to_owned(),
            (None, None) => self.why_not_begun(),
        }
    }

    /// Why it was not begun.
    pub fn why_not_begun(&self) -> String {
        match self.problems.first() {
            Some(problem) => format!("the test was not begun: {}", problem.message),
            None => "the test was not begun".to_owned(),
        }
    }

    /// The first step that failed without a word.
    fn silent_step(&self) -> Option<&StepReport> {
        self.all_steps().find(|step| step.is_failed() && errors(&step.diagnostics).next().is_none())
    }

    /// Errors of the test that no step has.
    fn unsaid(&self) -> Reasons<'_> {
        let is_said = |it: &Diagnostic| self.all_steps().any(|step| step.diagnostics.contains(it));
        errors(&self.problems).filter(|it| !is_said(it)).collect()
    }
}

impl SuiteReport {
    /// What stopped it as a whole, if something did.
    pub fn reasons(&self) -> Reasons<'_> {
        let Some((exit, diagnostics)) = &self.stopped else { return Reasons::new() };
        let told: Reasons = errors(diagnostics).collect();
        if told.is_empty() { vec![Cow::Owned(ended("the suite", *exit))] } else { told }
    }
}

fn errors(diagnostics: &[Diagnostic]) -> impl Iterator<Item = Cow<'_, Diagnostic>> {
    diagnostics.iter().filter(|it| it.severity > Severity::Warning).map(Cow::Borrowed)
}

/// What is said when nobody said why.
fn ended(what: &str, exit: Exit) -> Diagnostic {
    match exit {
        Exit::Interrupted(signal) => Diagnostic::error(format!("{what} was interrupted by signal {signal}")),
        exit => Diagnostic::error(format!("{what} ended with exit status {}", exit.code())),
    }
}
