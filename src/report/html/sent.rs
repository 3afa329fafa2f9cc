//! What a step sent: SQL, and the values that went with it.
//!
//! Many tests send the same: they load the same fixtures. A long statement of a step that held stands in the
//! page once, and others lead there; one of a step that did not stands where it is looked for.

use std::collections::HashMap;

use maud::{Markup, html};

use super::step;
use super::words::Words;
use crate::plan::sent::Sent;
use crate::project::diagnostic::count;
use crate::report::StepReport;
use crate::report::suite::{SuiteReport, TestReport};

/// A shorter statement than this many bytes is written again: the link to it would not be shorter.
const SHARED_MIN: usize = 200;

/// Where the long statements of a report stand first.
pub struct Firsts<'a>(HashMap<&'a str, First<'a>>);

struct First<'a> {
    /// What a link to it is called.
    id: String,
    test: &'a TestReport,
    step: &'a StepReport,
}

impl<'a> Firsts<'a> {
    /// Those of a report.
    pub fn of(report: &'a SuiteReport) -> Firsts<'a> {
        let mut firsts = HashMap::new();
        for (number, test) in report.tests.iter().enumerate() {
            for (letter, steps) in [(step::FIRST, &test.steps), (step::AGAIN, &test.again)] {
                for (at, step) in steps.iter().enumerate() {
                    for (statement, sent) in step.sent.iter().enumerate() {
                        if sent.sql.len() >= SHARED_MIN {
                            let id = id(&step::id(number, letter, at), statement);
                            firsts.entry(sent.sql.as_str()).or_insert(First { id, test, step });
                        }
                    }
                }
            }
        }
        Firsts(firsts)
    }
}

fn id(step: &str, statement: usize) -> String {
    format!("{step}q{}", statement + 1)
}

/// All that a step sent, folded.
pub fn draw(own: &str, step: &StepReport, firsts: &Firsts, words: &Words) -> Markup {
    html! {
        @if !step.sent.is_empty() {
            details .sql {
                summary {
                    "SQL"
                    @if step.sent.len() > 1 { " " small { (count(step.sent.len(), "statement")) } }
                }
                @for (at, sent) in step.sent.iter().enumerate() {
                    @let own = id(own, at);
                    @match firsts.0.get(sent.sql.as_str()) {
                        Some(first) if first.id != own && step.end.is_accepted() => (same(first, words)),
                        Some(first) if first.id == own => (sql(sent, Some(&own), words)),
                        _ => (sql(sent, None, words)),
                    }
                    (values(sent, words))
                }
            }
        }
    }
}

fn same(first: &First, words: &Words) -> Markup {
    html! {
        p {
            "The same as in "
            a href={ "#" (first.id) } {
                span .title { (words.say(&first.test.name())) } " › " span .title { (words.say(&first.step.title)) }
            }
        }
    }
}

fn sql(sent: &Sent, id: Option<&str>, words: &Words) -> Markup {
    html! { pre id=[id] tabindex="0" { code { (words.say(sent.sql.trim_end())) } } }
}

fn values(sent: &Sent, words: &Words) -> Markup {
    html! {
        @if !sent.values.is_empty() {
            div .scroll tabindex="0" role="group" aria-label="Values" {
                table .values {
                    thead { tr { th scope="col" { "Parameter" } th scope="col" { "For" } th scope="col" { "Value" } } }
                    tbody {
                        @for (at, (what, value)) in sent.values.iter().enumerate() {
                            tr {
                                th scope="row" { "$" (at + 1) }
                                td { (words.say(what)) }
                                td { code { (words.say(value)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
