//! The steps of a test: a line each, and behind it what there is to say.

use std::time::Duration;

use maud::{Markup, html};

use super::sent::{self, Firsts};
use super::words::Words;
use super::{diagnostic, mark};
use crate::plan::wrote::Wrote;
use crate::report::suite::TestReport;
use crate::report::text::duration;
use crate::report::{End, StepReport};

/// In the name of a link: a step of the first run.
pub const FIRST: char = 's';
/// In the name of a link: a step of the second run.
pub const AGAIN: char = 'a';
/// The most tables that a step's line names.
const TABLES_MAX: usize = 2;

/// What a link to a step is called.
pub fn id(test: usize, letter: char, at: usize) -> String {
    format!("{}{letter}{}", super::test::id(test), at + 1)
}

/// The steps of one run of a test.
pub struct Steps<'a> {
    /// The test.
    pub test: &'a TestReport,
    /// Its number.
    pub number: usize,
    /// Which run it is, in the name of a link.
    pub letter: char,
    /// The steps.
    pub steps: &'a [StepReport],
    /// Where statements stand first.
    pub firsts: &'a Firsts<'a>,
}

impl Steps<'_> {
    /// The list.
    pub fn draw(&self, words: &Words) -> Markup {
        let ends = self.test.all_steps().map(|step| step.begun + step.elapsed);
        let all = ends.chain([self.test.elapsed]).max().unwrap_or_default();
        html! {
            ol .steps {
                @for (at, step) in self.steps.iter().enumerate() {
                    (draw(&id(self.number, self.letter, at), step, all, self.firsts, words))
                }
            }
        }
    }
}

fn draw(id: &str, step: &StepReport, all: Duration, firsts: &Firsts, words: &Words) -> Markup {
    let (sign, name) = mark::of_step(step);
    let line = line(sign, step, all, words);
    // Only what there is more to say about can be opened.
    let is_more = !step.diagnostics.is_empty()
        || !step.retried.is_empty()
        || !step.sent.is_empty()
        || step.wrote.len() > TABLES_MAX;
    html! {
        li .step .(name) id=(id) {
            @if is_more {
                details open[step.is_failed()] {
                    summary .line { (line) }
                    div .more { (more(id, step, firsts, words)) }
                }
            } @else {
                div .line { (line) }
            }
        }
    }
}

fn line(sign: &str, step: &StepReport, all: Duration, words: &Words) -> Markup {
    html! {
        span .mark aria-hidden="true" { (sign) }
        span .kind { (step.kind) }
        span .title {
            span { (words.say(&step.title)) }
            @if step.is_final { " " span .tag { "finally" } }
            @if step.is_flaky() { " " span .tag .flaky { "flaky" } }
            @if step.attempts > 1 { " " small { (step.attempts) " tries" } }
            @if let Some(detail) = &step.detail { " " small { (words.say(detail)) } }
        }
        span .wrote {
            @for wrote in step.wrote.iter().take(TABLES_MAX) { (rows(wrote, words)) " " }
            @if step.wrote.len() > TABLES_MAX { small { (step.wrote.len() - TABLES_MAX) " more" } }
        }
        span .end { (step.end.word()) }
        (bar(step, all))
        span .time { @if step.attempts > 0 { (duration(step.elapsed)) } }
    }
}

/// When it ran, within its test.
fn bar(step: &StepReport, all: Duration) -> Markup {
    let is_run = !matches!(step.end, End::NotRun | End::Skipped) && !all.is_zero();
    let part = |time: Duration| time.as_secs_f64() / all.as_secs_f64().max(1e-9) * 100.0;
    let width = part(step.elapsed).clamp(1.5, 100.0);
    let start = part(step.begun).min(100.0 - width);
    html! {
        svg .when aria-hidden="true" {
            @if is_run {
                rect x={ (format!("{start:.1}")) "%" } width={ (format!("{width:.1}")) "%" } height="100%" {}
            }
        }
    }
}

fn rows(wrote: &Wrote, words: &Words) -> Markup {
    let signs = [("+", "inserted"), ("~", "updated"), ("−", "deleted")];
    html! {
        span .rows {
            (words.say(&wrote.name()))
            @for (rows, (sign, what)) in wrote.rows.iter().zip(signs).filter(|(rows, _)| **rows > 0) {
                " " b title=(what) { (sign) (rows) }
            }
        }
    }
}

fn more(id: &str, step: &StepReport, firsts: &Firsts, words: &Words) -> Markup {
    html! {
        @for diagnostic in &step.diagnostics { (diagnostic::draw(diagnostic, words)) }
        @if !step.retried.is_empty() {
            div .retried {
                p { "What it ran into before:" }
                ol { @for reason in &step.retried { li { (words.prose(reason)) } } }
            }
        }
        @if step.wrote.len() > TABLES_MAX {
            ul .tables { @for wrote in &step.wrote { li { (rows(wrote, words)) } } }
        }
        (sent::draw(id, step, firsts, words))
    }
}
