//! One test: its line, and what is behind it.

use maud::{Markup, html};

use super::sent::Firsts;
use super::step::{AGAIN, FIRST, Steps};
use super::words::Words;
use super::{diagnostic, mark};
use crate::project::diagnostic::count;
use crate::report::suite::{TestReport, Verdict};
use crate::report::text::duration;

/// What a link to it is called.
pub fn id(number: usize) -> String {
    format!("t{}", number + 1)
}

/// The test; one that did not hold is open.
pub fn draw(number: usize, test: &TestReport, firsts: &Firsts, words: &Words) -> Markup {
    let verdict = test.verdict();
    let (sign, name) = mark::of_test(verdict);
    let is_open = matches!(verdict, Verdict::Failed | Verdict::Error);
    html! {
        details .test .(name) id=(id(number)) open[is_open] {
            summary {
                span .mark aria-hidden="true" { (sign) }
                h3 { (words.say(&test.name())) }
                span .tags { @for tag in &test.tags { span .tag { (words.say(tag)) } } }
                span .file { (words.say(&test.file)) }
                span .size { (size(test)) }
                span .verdict { (verdict.word()) }
                span .time { @if test.exit.is_some() { (duration(test.elapsed)) } }
            }
            div .body { (body(number, test, firsts, words)) }
        }
    }
}

fn body(number: usize, test: &TestReport, firsts: &Firsts, words: &Words) -> Markup {
    html! {
        (kept(test, words))
        @for problem in &test.problems { (diagnostic::draw(problem, words)) }
        @if !test.again.is_empty() { h4 { "First run" } }
        (Steps { test, number, letter: FIRST, steps: &test.steps, firsts }.draw(words))
        @if !test.again.is_empty() {
            h4 { "Second run, on what the first one left" }
            (Steps { test, number, letter: AGAIN, steps: &test.again, firsts }.draw(words))
        }
        @if test.exit.is_some() { (facts(test, words)) }
    }
}

/// How its database is looked at, if it is still there.
fn kept(test: &TestReport, words: &Words) -> Markup {
    html! {
        @if let Some(line) = &test.kept {
            div .kept {
                span { "Its database was kept:" }
                code { (words.say(line)) }
                button .copy type="button" hidden { "Copy" }
            }
        }
    }
}

fn facts(test: &TestReport, words: &Words) -> Markup {
    html! {
        p .about {
            @if !test.database.is_empty() { "Database " code { (words.say(&test.database)) } " · " }
            "worker " (test.worker + 1) " · began at " (duration(test.begun))
            @if !test.isolating().is_zero() { " · " (duration(test.isolating())) " for its database" }
        }
    }
}

/// `5 steps`, or how many of them held.
fn size(test: &TestReport) -> String {
    let all = test.all_steps().count();
    let held = test.all_steps().filter(|step| step.end.is_accepted()).count();
    match test.verdict() {
        Verdict::Held | Verdict::Flaky | Verdict::NotRun => count(all, "step"),
        Verdict::Failed | Verdict::Error => format!("{held} of {} held", count(all, "step")),
    }
}
