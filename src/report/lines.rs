//! The report for programs that read it line by line: an event a line, each a JSON object.
//!
//! docs/reports.md has every field. `version` is raised when a field changes meaning.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::json::{milliseconds, step as step_fields};
use super::suite::{Censor, SuiteReport, Template, TestReport, Verdict};
use super::{End, StepReport};
use crate::project::diagnostic::Diagnostic;

/// The version of the lines' form.
const VERSION: u32 = 1;

/// A line; these fields stand first, so that it can be told by its beginning.
#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    event: &'a str,
    time: String,
    run: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The whole report: the suite's begin, test by test its begin, its steps and its end, the suite's end.
pub fn document(report: &SuiteReport, censor: Censor) -> String {
    let mut text = String::new();
    let mut add = |event: &str, after: Duration, fields: Value| {
        let Value::Object(fields) = censored(fields, censor) else { return };
        let time = humantime::format_rfc3339_micros(report.started + after).to_string();
        let line = Line { version: VERSION, event, time, run: &report.run, fields };
        let Ok(line) = serde_json::to_string(&line) else { return }; // Of strings and values, it cannot fail.
        text.push_str(&line);
        text.push('\n');
    };
    add("suite.began", Duration::ZERO, suite_began(report));
    for (test, number) in report.tests.iter().zip(1..) {
        // Of a test that was not begun, no more is known before the end.
        let (begun, ended) = match test.exit {
            Some(_) => (test.begun, test.begun + test.elapsed),
            None => (report.elapsed, report.elapsed),
        };
        if test.exit.is_some() {
            add("test.began", begun, test_began(test, number));
        }
        for (at, step) in test.all_steps().enumerate() {
            let after = if test.exit.is_some() { begun + step.begun + step.elapsed } else { ended };
            add("step.ended", after, step_ended(test, number, at, step));
        }
        add("test.ended", ended, test_ended(test, number));
    }
    add("suite.ended", report.elapsed, suite_ended(report));
    text
}

fn suite_began(report: &SuiteReport) -> Value {
    json!({
        "seedbed": env!("CARGO_PKG_VERSION"),
        "target": report.target,
        "server_version": report.server,
        "tests": report.tests.len(),
        "jobs": report.jobs,
        "shuffle_seed": report.shuffle,
        "shard": report.shard.map(|(part, of)| json!({ "part": part, "of": of })),
        "templates": report.templates.iter().map(template).collect::<Vec<_>>(),
    })
}

fn template(template: &Template) -> Value {
    json!({
        "name": template.name,
        "version": template.version,
        "new": template.is_new,
        "elapsed_ms": milliseconds(template.elapsed),
        "migrations": template.migrations.iter().map(|migration| json!({
            "title": migration.title,
            "attempts": migration.attempts,
            "elapsed_ms": milliseconds(migration.elapsed),
        })).collect::<Vec<_>>(),
    })
}

/// What names a test, on each line that is about one.
fn names(test: &TestReport, number: usize) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("test".to_owned(), json!(number));
    fields.insert("name".to_owned(), json!(test.name()));
    fields.insert("file".to_owned(), json!(test.file));
    fields
}

fn test_began(test: &TestReport, number: usize) -> Value {
    let fields = json!({
        "title": test.title,
        "tags": test.tags,
        "repeat": test.repeat.map(|(number, of)| json!({ "number": number, "of": of })),
        "database": test.database,
        "worker": test.worker,
    });
    with(names(test, number), fields)
}

fn step_ended(test: &TestReport, number: usize, at: usize, step: &StepReport) -> Value {
    let (_, column) = step.place.source.line_column(step.place.span.start as usize);
    let is_again = at >= test.steps.len();
    let mut fields = with(names(test, number), step_fields(step));
    // A step may come from a file that several scenarios use.
    fields["file"] = json!(step.place.source.path);
    let more = json!({
        "step": if is_again { at - test.steps.len() } else { at } + 1,
        "again": is_again,
        "column": column,
        "verdict": match step.end {
            End::Accepted(_) | End::Updated(_) if step.is_flaky() => "flaky",
            End::Accepted(_) | End::Updated(_) => "held",
            End::Refused(_) => "failed",
            End::Error | End::Unknown => "error",
            End::NotRun => "not run",
            End::Skipped => "skipped",
        },
        "flaky": step.is_flaky(),
        "retried": step.retried,
        "begun_ms": (step.attempts > 0).then(|| milliseconds(step.begun)),
        "sent": step.sent.iter().map(|sent| json!({
            "sql": sent.sql,
            "values": sent.values.iter().map(|(what, value)| json!({ "what": what, "value": value }))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    match fields {
        Value::Object(fields) => with(fields, more),
        _ => more,
    }
}

fn test_ended(test: &TestReport, number: usize) -> Value {
    let count = |is: fn(&StepReport) -> bool| test.all_steps().filter(|step| is(step)).count();
    let fields = json!({
        "verdict": test.verdict().word(),
        "exit": test.exit.map(|exit| exit.code()),
        "flaky": test.verdict() == Verdict::Flaky,
        "steps": {
            "held": count(|step| step.end.is_accepted()),
            "failed": count(StepReport::is_failed),
            "skipped": count(|step| step.end == End::Skipped),
            "not_run": count(|step| step.end == End::NotRun),
        },
        "begun_ms": test.exit.map(|_| milliseconds(test.begun)),
        "elapsed_ms": milliseconds(test.elapsed),
        "isolating_ms": milliseconds(test.isolating()),
        "database": test.database,
        "kept": test.kept,
        "problems": test.problems.iter().map(Diagnostic::json).collect::<Vec<_>>(),
    });
    with(names(test, number), fields)
}

fn suite_ended(report: &SuiteReport) -> Value {
    let exit = report.exit().code();
    json!({
        "exit": exit,
        "held": exit == 0,
        "stopped": report.stopped.is_some(),
        "verdicts": {
            "held": report.count(Verdict::Held),
            "flaky": report.count(Verdict::Flaky),
            "failed": report.count(Verdict::Failed),
            "error": report.count(Verdict::Error),
            "not_run": report.count(Verdict::NotRun),
        },
        "elapsed_ms": milliseconds(report.elapsed),
        "problems": report.problems().map(Diagnostic::json).collect::<Vec<_>>(),
    })
}

/// An object with the fields of another.
fn with(mut fields: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    Value::Object(fields)
}

/// A value whose strings have no secrets; numbers and names of fields stay as they are.
fn censored(value: Value, censor: Censor) -> Value {
    match value {
        Value::String(text) => Value::String(censor(&text).into_owned()),
        Value::Array(values) => values.into_iter().map(|it| censored(it, censor)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, it)| (key, censored(it, censor))).collect(),
        value => value,
    }
}
