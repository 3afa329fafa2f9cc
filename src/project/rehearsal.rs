//! Rehearsals: scenarios that begin with an older version of the schema, and go on to a newer one.

use std::sync::Arc;

use super::Project;
use super::diagnostic::{Diagnostic, list};
use super::reading::Reading;
use super::source::{Source, Span};
use super::yaml::Node;
use crate::step::Step;

/// A version of the schema, as an author names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Its number; 0 is the empty database.
    pub number: i32,
    /// Where it stands.
    pub span: Span,
}

/// Reads a version: `V3`, `U3` or `3`.
pub fn version(reading: &mut Reading, node: Node, what: &str) -> Option<Version> {
    let name = reading.text(node, what)?;
    let digits = name.text.strip_prefix(['V', 'U', 'v', 'u']).unwrap_or(&name.text);
    match digits.parse().ok().filter(|number| *number >= 0) {
        Some(number) => Some(Version { number, span: name.span }),
        None => {
            let message = format!("`{}` is no version of a migration", name.text);
            reading.problem_help(
                name.span,
                message,
                "write it like its file: `V3`; `V0` is before the first",
            );
            None
        }
    }
}

/// That no migration has this version, if none has.
pub fn unknown(project: &Project, source: &Arc<Source>, version: &Version) -> Option<Diagnostic> {
    let is_known = version.number == 0 || project.migrations.iter().any(|it| it.version == version.number);
    if is_known {
        return None;
    }
    let known: Vec<String> =
        project.migrations.iter().rev().take(10).map(|it| format!("V{}", it.version)).collect();
    let known: Vec<&str> = known.iter().rev().map(String::as_str).collect();
    let help = match known.is_empty() {
        true => "the project has no migrations".to_owned(),
        false => format!("the newest ones are {}", list(&known)),
    };
    Some(
        Diagnostic::error(format!("there is no migration V{}", version.number))
            .at(source, version.span)
            .help(help),
    )
}

/// Notes steps that migrate where nothing is rehearsed, and the other way round.
pub fn check(source: &Arc<Source>, from: Option<Version>, steps: &[Step], problems: &mut Vec<Diagnostic>) {
    let mut version = from;
    let mut is_migrated = false;
    for (at, step) in steps.iter().enumerate() {
        let Some(to) = step.action.migrates() else { continue };
        let mut problem = |span: Span, message: &str, help: &str| {
            problems.push(Diagnostic::error(message).at(&step.source, span).help(help));
        };
        let Some(last) = version else {
            problem(
                step.span,
                "the scenario does not say which version it begins with",
                "write `from: V3` at its top, with the version that this step goes on from",
            );
            return;
        };
        let control = &step.control;
        let has_control = control.skip.is_some()
            || !control.when.is_empty()
            || control.role.is_some()
            || control.timeout.is_some()
            || control.is_final
            || step.changes.is_some()
            || step.links.case_of.is_some();
        if has_control {
            problem(
                step.span,
                "a `migrate` step is run once, as migrations always are",
                "it takes `to`, `id` and `tags` alone",
            );
        }
        if to <= last.number {
            problem(
                step.span,
                "the schema is at this version already",
                "let each `to` be higher than the last",
            );
        }
        version = Some(Version { number: to, span: step.span });
        is_migrated = true;
        let compares =
            |later: &&Step| later.action.compares() && later.links.since.is_none_or(|since| since < at);
        for later in steps[at..].iter().filter(compares) {
            problems.push(
                Diagnostic::error("tables cannot be compared with what they were under an older schema")
                    .at(&later.source, later.span)
                    .help("name a step behind the migration: `since: …`, or `assert` what matters"),
            );
        }
    }
    if let Some(from) = from.filter(|_| !is_migrated) {
        problems.push(
            Diagnostic::error("the scenario begins with an older version, and never goes on")
                .at(source, from.span)
                .help("add a step where it does: `- migrate: To the newest version`"),
        );
    }
}
