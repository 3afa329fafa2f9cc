//! The report for readers of the Test Anything Protocol.
//!
//! It is version 13, the latest that `prove` knows. A point is a test; its steps are a subtest in the form of
//! version 14, indented, which readers of version 13 pass over. What is to be said of a test is a block of
//! YAML, in the part of it that `prove` reads: maps and lists in blocks, strings in double quotes, and `|`.

use super::shown::{drawn, line};
use super::suite::{Censor, SuiteReport, TestReport, Verdict};
use super::{End, StepReport, json};
use crate::project::diagnostic::{Diagnostic, Severity};

/// The whole report.
pub fn document(report: &SuiteReport, censor: Censor) -> String {
    let mut text = "TAP version 13\n".to_owned();
    match report.tests.len() {
        0 if report.stopped.is_none() => text.push_str("1..0 # SKIP no tests\n"),
        0 => {}
        count => text.push_str(&format!("1..{count}\n")),
    }
    for warning in &report.warnings {
        text.push_str(&format!("# warning: {}\n", line(&warning.message, censor)));
    }
    for (test, number) in report.tests.iter().zip(1..) {
        text.push_str(&steps(test, censor));
        let is_ok = !matches!(test.verdict(), Verdict::Failed | Verdict::Error);
        let skip = (test.verdict() == Verdict::NotRun).then(|| test.why_not_begun());
        text.push_str(&point(number, is_ok, &test.name(), skip.as_deref(), censor));
        if test.exit.is_some() {
            text.push_str(&indented(2, &format!("---\n{}...\n", facts(test, censor))));
        }
    }
    if let Some(reason) = report.reasons().first() {
        text.push_str(&format!("Bail out! {}\n", ascii(&line(&reason.message, censor))));
    }
    text
}

/// The steps of a test, and one more point if it failed beside them.
fn steps(test: &TestReport, censor: Censor) -> String {
    let mut points = Vec::new();
    for (name, step) in test.named_steps() {
        let skip = matches!(step.end, End::NotRun | End::Skipped).then(|| test.why_not(step));
        points.push(point(points.len() + 1, !step.is_failed(), &name, skip.as_deref(), censor));
    }
    if !test.own_reasons().is_empty() {
        points.push(point(points.len() + 1, false, "the test itself", None, censor));
    }
    if points.is_empty() {
        return String::new();
    }
    let name = line(&test.name(), censor);
    format!("# Subtest: {name}\n{}", indented(4, &format!("1..{}\n{}", points.len(), points.concat())))
}

/// A line for a test or a step.
fn point(number: usize, is_ok: bool, name: &str, skip: Option<&str>, censor: Censor) -> String {
    let word = if is_ok { "ok" } else { "not ok" };
    let name = line(name, censor).replace('\\', "\\\\").replace('#', "\\#");
    let skip = skip.map(|why| format!(" # SKIP {}", line(why, censor))).unwrap_or_default();
    format!("{word} {number} - {name}{skip}\n")
}

/// What is to be said of a test: how long it took, where its database is, why it failed, what was odd.
fn facts(test: &TestReport, censor: Censor) -> String {
    let mut text = format!("duration_ms: {}\n", json::milliseconds(test.elapsed));
    let mut say = |key: &str, value: &str| {
        let value = serde_json::Value::from(line(value, censor));
        text.push_str(&format!("{key}: {value}\n"));
    };
    say("database", &test.database);
    test.kept.iter().for_each(|kept| say("kept", kept));
    let own = test.own_reasons();
    let steps = test.all_steps().flat_map(|step| test.reasons(step));
    let reasons: Vec<_> = own.into_iter().chain(steps).collect();
    if let Some(first) = reasons.first() {
        say("message", &first.message);
        say("severity", if first.severity == Severity::Failed { "failed" } else { "error" });
        if let Some(place) = &first.place {
            let (row, column) = place.source.line_column(place.span.start as usize);
            let file = serde_json::Value::from(line(&place.source.path, censor));
            text.push_str(&format!("at:\n  file: {file}\n  line: {row}\n  column: {column}\n"));
        }
        text.push_str(&literal("diagnostic", reasons.iter().map(|it| -> &Diagnostic { it }), censor));
    }
    let flaky: Vec<(String, &StepReport)> = test.named_steps().filter(|(_, step)| step.is_flaky()).collect();
    if !flaky.is_empty() {
        text.push_str("flaky:\n");
    }
    for (name, step) in flaky {
        let [name, tries] = [&name, &step.retried.join("; ")].map(|it| line(it, censor));
        let [name, tries] = [name, tries].map(serde_json::Value::from);
        text.push_str(&format!("  - step: {name}\n    attempts: {}\n    retried: {tries}\n", step.attempts));
    }
    let said = test.problems.iter().chain(test.all_steps().flat_map(|step| &step.diagnostics));
    let mut warnings = said.filter(|it| it.severity == Severity::Warning).peekable();
    if warnings.peek().is_some() {
        text.push_str(&literal("warnings", warnings, censor));
    }
    text
}

/// Problems as a text of several lines. The first begins with no blank, or it would set how far all are moved.
fn literal<'a>(key: &str, problems: impl Iterator<Item = &'a Diagnostic>, censor: Censor) -> String {
    format!("{key}: |\n{}", indented(2, &drawn(problems, censor)))
}

/// Lines, each moved to the right, empty ones too: an empty line would end a text for `prove`.
fn indented(by: usize, text: &str) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// `prove` says why a run was given up on a stream that takes no other characters.
fn ascii(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}
