//! The report for machines: one JSON document. `version` is raised when a field changes meaning.

use serde_json::{Value, json};

use super::exit::Exit;
use super::suite::{SuiteReport, TestReport};
use super::{Report, StepReport};
use crate::project::diagnostic::Diagnostic;

/// The version of the document's form.
const VERSION: u32 = 1;

/// The whole report, and what was warned of.
pub fn document(report: &Report, warnings: &[Diagnostic]) -> Value {
    let exit = report.exit();
    json!({
        "version": VERSION,
        "target": report.target,
        "run": report.run,
        "exit": exit.code(),
        "held": exit.code() == 0,
        "dry_run": report.is_rehearsal,
        "elapsed_ms": milliseconds(report.elapsed),
        "migrations": {
            "applied_before": report.applied_before,
            "applied": report.migrations.iter().map(|migration| json!({
                "title": migration.title,
                "by_another_runner": migration.is_other_s,
                "attempts": migration.attempts,
                "elapsed_ms": milliseconds(migration.elapsed),
            })).collect::<Vec<_>>(),
        },
        "scenarios": report.scenarios.iter().map(|scenario| json!({
            "title": scenario.title,
            "file": scenario.file,
            "steps": scenario.steps.iter().map(step).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "problems": warnings.iter().chain(report.problems()).map(Diagnostic::json).collect::<Vec<_>>(),
    })
}

/// The whole report of a suite.
pub fn suite(report: &SuiteReport) -> Value {
    let exit = report.exit();
    json!({
        "version": VERSION,
        "target": report.target,
        "server": report.server,
        "run": report.run,
        "exit": exit.code(),
        "held": exit.code() == 0,
        "elapsed_ms": milliseconds(report.elapsed),
        "jobs": report.jobs,
        "shuffle": report.shuffle,
        "shard": report.shard.map(|(number, of)| format!("{number}/{of}")),
        "templates": report.templates.iter().map(|template| json!({
            "name": template.name,
            "version": template.version,
            "is_new": template.is_new,
            "elapsed_ms": milliseconds(template.elapsed),
        })).collect::<Vec<_>>(),
        "tests": report.tests.iter().map(test).collect::<Vec<_>>(),
        "problems": report.problems().map(Diagnostic::json).collect::<Vec<_>>(),
    })
}

fn test(test: &TestReport) -> Value {
    json!({
        "title": test.title,
        "file": test.file,
        "tags": test.tags,
        "repeat": test.repeat.map(|(number, _)| number),
        "verdict": test.verdict().word(),
        "exit": test.exit.map(Exit::code),
        "database": test.database,
        "kept": test.kept,
        "worker": test.worker,
        "begun_ms": milliseconds(test.begun),
        "elapsed_ms": milliseconds(test.elapsed),
        "isolating_ms": milliseconds(test.isolating()),
        "steps": test.steps.iter().map(step).collect::<Vec<_>>(),
        "again": test.again.iter().map(step).collect::<Vec<_>>(),
        "problems": test.problems.iter().map(Diagnostic::json).collect::<Vec<_>>(),
    })
}

/// A step, as every document has it.
pub(super) fn step(step: &StepReport) -> Value {
    let (line, _) = step.place.source.line_column(step.place.span.start as usize);
    json!({
        "kind": step.kind,
        "title": step.title,
        "line": line,
        "outcome": step.end.word(),
        "accepted": step.end.is_accepted(),
        "finally": step.is_final,
        "detail": step.detail,
        "wrote": step.wrote.iter().map(|wrote| json!({
            "schema": wrote.schema,
            "table": wrote.table,
            "inserted": wrote.rows[0],
            "updated": wrote.rows[1],
            "deleted": wrote.rows[2],
        })).collect::<Vec<_>>(),
        "attempts": step.attempts,
        "retried": step.retried,
        "elapsed_ms": milliseconds(step.elapsed),
        "problems": step.diagnostics.iter().map(|it| it.json()).collect::<Vec<_>>(),
    })
}

pub(super) fn milliseconds(elapsed: std::time::Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e6).round() / 1e3
}
