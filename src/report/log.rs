//! Events for a collector of logs: one JSON object a line, with OpenTelemetry's names where it has some.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event::Event;
use super::suite::TestReport;
use super::{End, StepReport};
use crate::project::diagnostic::{Diagnostic, Severity};

/// One line, without its end. `time` is RFC 3339, `run` the run's nonce.
pub fn line(event: &Event, time: &str, run: &str) -> String {
    let (level, name, mut fields) = described(event);
    fields.insert("timestamp".to_owned(), json!(time));
    fields.insert("severity_text".to_owned(), json!(level));
    fields.insert("event.name".to_owned(), json!(format!("seedbed.{name}")));
    fields.insert("service.name".to_owned(), json!("seedbed"));
    fields.insert("service.version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    fields.insert("seedbed.run".to_owned(), json!(run));
    Value::Object(fields).to_string()
}

fn described(event: &Event) -> (&'static str, &'static str, Map<String, Value>) {
    let fields = |value: Value| match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let (level, name, value) = match event {
        Event::Connected { target, is_unverified, is_pooled } => (
            "INFO",
            "connected",
            json!({ "db.system.name": "postgresql", "server.address": target, "tls.unverified": is_unverified,
                "seedbed.pooler": is_pooled }),
        ),
        Event::Created(name) => ("INFO", "database.created", json!({ "db.namespace": name })),
        Event::LockHeld { holder, attempt, left } => (
            "WARN",
            "lock.held",
            json!({ "message": holder.map(ToString::to_string), "seedbed.attempt": attempt,
                "seedbed.left_ms": milliseconds(*left), "seedbed.lock.end": holder.map(|holder| holder.end()) }),
        ),
        Event::Waiting { target, reason, attempt, left } => (
            "WARN",
            "waiting",
            json!({ "server.address": target, "message": reason, "seedbed.attempt": attempt,
                "seedbed.left_ms": milliseconds(*left) }),
        ),
        Event::Warned(diagnostic) => ("WARN", "warning", problem(diagnostic)),
        Event::Noticed { severity, message } => {
            ("INFO", "notice", json!({ "message": message, "db.response.severity": severity }))
        }
        Event::MigrationsBegun { pending, applied } => {
            ("INFO", "migrations.begun", json!({ "seedbed.pending": pending, "seedbed.applied": applied }))
        }
        Event::MigrationBegun(title) => ("INFO", "migration.begun", json!({ "seedbed.migration": title })),
        Event::MigrationApplied(migrated) => (
            "INFO",
            "migration.applied",
            json!({ "seedbed.migration": migrated.title, "duration_ms": milliseconds(migrated.elapsed),
                "seedbed.attempts": migrated.attempts, "seedbed.by_another_runner": migrated.is_other_s }),
        ),
        Event::ScenarioBegun { title, file, .. } => {
            ("INFO", "scenario.begun", json!({ "seedbed.scenario": title, "code.file.path": file }))
        }
        Event::StepBegun { kind, title } => {
            ("INFO", "step.begun", json!({ "seedbed.step.kind": kind, "seedbed.step": title }))
        }
        Event::Copying(copying) => (
            "DEBUG",
            "copying",
            json!({ "code.file.path": copying.file, "seedbed.rows": copying.rows, "seedbed.bytes": copying.bytes,
                "seedbed.bytes_total": copying.of, "duration_ms": milliseconds(copying.elapsed) }),
        ),
        Event::Retrying { title, reason, attempt, delay } => (
            "WARN",
            "retrying",
            json!({ "seedbed.step": title, "message": reason, "seedbed.attempt": attempt,
                "seedbed.delay_ms": milliseconds(*delay) }),
        ),
        Event::Settling { title, reason } => {
            ("WARN", "settling", json!({ "seedbed.step": title, "message": reason }))
        }
        Event::StepEnded(step) => (level(step.end), "step.ended", ended(step)),
        Event::TestBegun { name, file } => {
            ("INFO", "test.begun", json!({ "seedbed.test": name, "code.file.path": file }))
        }
        Event::TestEnded(test) => {
            (if test.is_failed() { "ERROR" } else { "INFO" }, "test.ended", tested(test))
        }
        Event::Updated { file, steps } => {
            ("INFO", "file.updated", json!({ "code.file.path": file, "seedbed.steps": steps }))
        }
        Event::Ended { exit, elapsed, diagnostics } => (
            if *exit == 0 { "INFO" } else { "ERROR" },
            "run.ended",
            json!({ "process.exit.code": exit, "duration_ms": milliseconds(*elapsed),
                "exception": diagnostics.iter().map(problem).collect::<Vec<_>>() }),
        ),
    };
    (level, name, fields(value))
}

fn ended(step: &StepReport) -> Value {
    let (line, _) = step.place.source.line_column(step.place.span.start as usize);
    json!({
        "seedbed.step.kind": step.kind,
        "seedbed.step": step.title,
        "seedbed.outcome": step.end.word(),
        "seedbed.accepted": step.end.is_accepted(),
        "seedbed.detail": step.detail,
        "code.file.path": step.place.source.path,
        "code.line.number": line,
        "duration_ms": milliseconds(step.elapsed),
        "seedbed.attempts": step.attempts,
        "exception": step.diagnostics.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn tested(test: &TestReport) -> Value {
    let diagnostics = test.all_steps().filter(|step| step.is_failed()).flat_map(|step| &step.diagnostics);
    json!({
        "seedbed.test": test.name(),
        "code.file.path": test.file,
        "seedbed.verdict": test.verdict().word(),
        "db.namespace": test.database,
        "duration_ms": milliseconds(test.elapsed),
        "exception": diagnostics.chain(&test.problems).map(problem).collect::<Vec<_>>(),
    })
}

fn level(end: End) -> &'static str {
    match end {
        End::Accepted(_) | End::Updated(_) | End::Skipped => "INFO",
        End::NotRun => "WARN",
        End::Refused(_) | End::Error | End::Unknown => "ERROR",
    }
}

fn problem(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.place.as_ref().map(ToString::to_string);
    let severity = match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Failed => "failed",
        Severity::Error => "error",
    };
    json!({ "exception.type": severity, "exception.message": diagnostic.message, "place": place,
        "notes": diagnostic.notes, "help": diagnostic.help })
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_object_with_the_names_a_collector_knows() {
        let event = Event::Retrying {
            title: "a \"step\"\nof two lines",
            reason: "reset".to_owned(),
            attempt: 1,
            delay: Duration::from_millis(250),
        };
        let line = line(&event, "2026-01-02T03:04:05Z", "0011aabb");
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event.name"], "seedbed.retrying");
        assert_eq!(value["severity_text"], "WARN");
        assert_eq!(value["seedbed.run"], "0011aabb");
        assert_eq!(value["seedbed.delay_ms"], 250.0);
    }
}
