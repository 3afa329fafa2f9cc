//! What failed, in a line each, with a link to it.

use maud::{Markup, html};

use super::words::Words;
use super::{mark, step, test};
use crate::project::diagnostic::Diagnostic;
use crate::report::StepReport;
use crate::report::suite::{SuiteReport, TestReport, Verdict};

/// The list; nothing where nothing failed.
pub fn draw(report: &SuiteReport, words: &Words) -> Markup {
    let is_failed = |test: &TestReport| matches!(test.verdict(), Verdict::Failed | Verdict::Error);
    let failed: Vec<_> = report.tests.iter().enumerate().filter(|(_, test)| is_failed(test)).collect();
    html! {
        @if !failed.is_empty() {
            nav .failures aria-labelledby="failures" {
                h2 #failures { "What failed" }
                ol { @for (number, test) in failed { (of_test(number, test, words)) } }
            }
        }
    }
}

fn of_test(number: usize, test: &TestReport, words: &Words) -> Markup {
    let first = test.steps.iter().enumerate().map(|(at, it)| (step::id(number, step::FIRST, at), it));
    let again = test.again.iter().enumerate().map(|(at, it)| (step::id(number, step::AGAIN, at), it));
    let steps: Vec<_> = first.chain(again).filter(|(_, step)| step.is_failed()).collect();
    html! {
        @for (id, step) in &steps { (of_step(id, test, step, words)) }
        @if steps.is_empty() {
            @let (sign, name) = mark::of_test(test.verdict());
            li .(name) {
                a href={ "#" (test::id(number)) } {
                    span .mark aria-hidden="true" { (sign) }
                    span .title { (words.say(&test.name())) }
                }
                (message(&test.problems, "", words))
            }
        }
    }
}

fn of_step(id: &str, test: &TestReport, step: &StepReport, words: &Words) -> Markup {
    let (sign, name) = mark::of_step(step);
    html! {
        li .(name) {
            a href={ "#" (id) } {
                span .mark aria-hidden="true" { (sign) }
                span .title { (words.say(&test.name())) } " › " span .title { (words.say(&step.title)) }
            }
            (message(&step.diagnostics, &format!("{} `{}`: ", step.kind, step.title), words))
        }
    }
}

/// The first of what is said of it, without the name that stands before it; warnings only if there is nothing
/// else.
fn message(diagnostics: &[Diagnostic], name: &str, words: &Words) -> Markup {
    let worst = diagnostics.iter().max_by_key(|it| it.severity).map(|worst| worst.severity);
    let first = diagnostics.iter().find(|it| Some(it.severity) == worst);
    let message = first.map(|first| first.message.strip_prefix(name).unwrap_or(&first.message));
    html! { @if let Some(message) = message { " " span .why { (words.prose(message)) } } }
}
