//! How a try ended, as the report has it.

use super::attempt::Ended;
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::source::{Place, Span};
use crate::report::{End, StepReport};
use crate::step::Step;

/// Puts the end of a try into the report.
pub fn finish(step: &Step, ended: Ended, report: &mut StepReport) {
    match ended {
        Err(diagnostics) => {
            report.end = End::Error;
            report.diagnostics = diagnostics;
        }
        Ok((judgement, wrote)) if step.expect.accepts(judgement.outcome) => {
            report.end = End::Accepted(judgement.outcome);
            report.detail = judgement.detail;
            report.captured = judgement.captured;
            report.wrote = wrote.unwrap_or_default();
        }
        Ok((judgement, _)) => {
            report.end = End::Refused(judgement.outcome);
            report.rewrite = judgement.rewrite;
            let word = judgement.outcome.word();
            let mut problem = match (step.expect.refusal(), judgement.problem) {
                (Some(_), problem) => {
                    let message = format!("no error came: the step ended as `{word}`");
                    let mut told = Diagnostic::failed(message);
                    if judgement.outcome.has_written() {
                        told = told.note("what it wrote was rolled back");
                    }
                    told.notes.extend(problem.map(|problem| problem.message));
                    told
                }
                (None, Some(problem)) => problem,
                (None, None) => {
                    Diagnostic::failed(format!("the step ended as `{word}`, which it does not accept"))
                }
            };
            problem.severity = Severity::Failed;
            problem.message = format!("{} `{}`: {}", step.kind.name, step.title.text, problem.message);
            let place = Place::new(&step.source, step.expect.span.unwrap_or(step.span));
            let problem = if problem.place.is_none() { problem.at_place(place) } else { problem };
            report.diagnostics.push(in_step(problem, step));
        }
    }
}

/// Shows the step beside what failed in it, where that is another line.
fn in_step(problem: Diagnostic, step: &Step) -> Diagnostic {
    let line = |span: Span| step.source.line_column(span.start as usize).0;
    let place = problem.place.as_ref().filter(|place| place.source == step.source);
    match place {
        Some(place) if problem.context.is_none() && line(place.span) != line(step.span) => {
            problem.context(step.span, "in this step")
        }
        _ => problem,
    }
}
