//! The top of the page: what all of it comes to, and where it was.

use humantime::format_rfc3339_seconds;
use maud::{Markup, html};

use super::words::Words;
use super::{diagnostic, mark};
use crate::project::diagnostic::count;
use crate::report::Migrated;
use crate::report::exit::Exit;
use crate::report::suite::{SuiteReport, Template, Verdict};
use crate::report::text::duration;

/// Verdicts from good to bad, as counts are shown.
const VERDICTS: [Verdict; 5] =
    [Verdict::Held, Verdict::Flaky, Verdict::Failed, Verdict::Error, Verdict::NotRun];

/// The outcome in a line.
pub fn outcome(report: &SuiteReport) -> String {
    let all = report.tests.len();
    let flaky = report.count(Verdict::Flaky);
    let held = report.count(Verdict::Held) + flaky;
    let failed = report.count(Verdict::Failed) + report.count(Verdict::Error);
    let not_run = report.count(Verdict::NotRun);
    match (&report.stopped, failed) {
        (Some(_), 0) if all == 0 => "Stopped before any test was run".to_owned(),
        (Some(_), 0) => format!("Stopped: {not_run} of {} not run", count(all, "test")),
        (_, 1..) => format!("{failed} of {} failed", count(all, "test")),
        (None, 0) if all == 0 => "No test was run".to_owned(),
        (None, 0) if held < all => format!("{held} of {} held", count(all, "test")),
        (None, 0) if flaky > 0 => format!("All {} held, {flaky} at a later try", count(all, "test")),
        (None, 0) if all == 1 => "The test held".to_owned(),
        (None, 0) => format!("All {} held", count(all, "test")),
    }
}

/// The top.
pub fn draw(report: &SuiteReport, words: &Words) -> Markup {
    let exit = report.exit();
    let (sign, name) = mark::of_suite(exit);
    let started = format_rfc3339_seconds(report.started).to_string();
    html! {
        header .masthead .(name) {
            p .brand { b { "seedbed" } " test" span .at { time datetime=(started) { (readable(&started)) } } }
            h1 { span .mark aria-hidden="true" { (sign) } " " (outcome(report)) }
            (proportion(report))
            ul .counts {
                @for verdict in VERDICTS {
                    @let (sign, name) = mark::of_test(verdict);
                    @let number = report.count(verdict);
                    @if number > 0 || matches!(verdict, Verdict::Held | Verdict::Failed) {
                        li .(name) .zero[number == 0] {
                            span .mark aria-hidden="true" { (sign) } " "
                            b { (number) } " " (verdict.word())
                        }
                    }
                }
                li .took { "in " b { (duration(report.elapsed)) } }
            }
            @if let Some((_, problems)) = &report.stopped {
                section .stopped aria-labelledby="stopped" {
                    h2 #stopped { "What stopped it" }
                    @for problem in problems { (diagnostic::draw(problem, words)) }
                    @if problems.is_empty() { p { (stop(exit)) } }
                }
            }
            (facts(report, words, exit))
            @if !report.warnings.is_empty() {
                details .warnings {
                    summary { (count(report.warnings.len(), "warning")) }
                    @for warning in &report.warnings { (diagnostic::draw(warning, words)) }
                }
            }
        }
    }
}

/// How much of all tests each verdict is.
fn proportion(report: &SuiteReport) -> Markup {
    let all = report.tests.len().max(1) as f64;
    let mut end = 0.0;
    let mut parts = Vec::new();
    for verdict in VERDICTS {
        let part = report.count(verdict) as f64 / all * 100.0;
        if part > 0.0 {
            parts.push((mark::of_test(verdict).1, end, part));
        }
        end += part;
    }
    html! {
        svg .proportion aria-hidden="true" {
            @for (name, start, part) in parts {
                rect .(name) x={ (format!("{start:.2}")) "%" } width={ (format!("{part:.2}")) "%" } height="100%" {}
            }
        }
    }
}

fn facts(report: &SuiteReport, words: &Words, exit: Exit) -> Markup {
    let shard = report.shard.map(|(part, of)| format!("{part} of {of}"));
    let shuffle =
        report.shuffle.map_or("as in the files".to_owned(), |seed| format!("shuffled, seed {seed}"));
    html! {
        dl .facts {
            div .wide { dt { "Server" } dd { code { (words.say(&report.target)) } } }
            @if !report.server.is_empty() { div { dt { "PostgreSQL" } dd { (words.say(&report.server)) } } }
            div { dt { "At a time" } dd { (count(report.jobs, "test")) } }
            div { dt { "Order" } dd { (shuffle) } }
            @if let Some(shard) = shard { div { dt { "Part" } dd { (shard) } } }
            @for template in &report.templates { (template_facts(template, words)) }
            div { dt { "Exit status" } dd { (exit.code()) } }
        }
    }
}

fn template_facts(template: &Template, words: &Words) -> Markup {
    let made = if template.is_new { "made" } else { "found" };
    html! {
        div .wide {
            dt { "Template" @if let Some(version) = template.version { " up to V" (version) } }
            dd { code { (words.say(&template.name)) } ", " (made) " in " (duration(template.elapsed)) }
        }
        div {
            dt { "Migrations" }
            dd {
                @if template.migrations.is_empty() { "nothing pending" }
                @else {
                    details .migrations {
                        summary { (template.migrations.len()) " applied" }
                        ul { @for migration in &template.migrations { li { (migrated(migration, words)) } } }
                    }
                }
            }
        }
    }
}

fn migrated(migration: &Migrated, words: &Words) -> Markup {
    html! {
        (words.say(&migration.title)) " "
        small {
            (duration(migration.elapsed))
            @if migration.attempts > 1 { ", " (migration.attempts) " tries" }
            @if migration.is_other_s { ", by another runner" }
        }
    }
}

/// What an exit status says when nothing else does.
fn stop(exit: Exit) -> &'static str {
    match exit {
        Exit::Held | Exit::DidNotHold => "It was ended.",
        Exit::Invalid => "The project or the command line is invalid.",
        Exit::Unreachable => "The database could not be reached.",
        Exit::Migration => "A migration failed.",
        Exit::Locked => "Another runner held the lock for too long.",
        Exit::Unknown => "The connection was lost while committing.",
        Exit::Protected => "The target is protected.",
        Exit::Interrupted(_) => "It was interrupted.",
    }
}

/// `2026-07-01T09:30:00Z` for people.
fn readable(time: &str) -> String {
    time.replace('T', " ").replace('Z', " UTC")
}
