//! Refusal: the error of the server that a step expects, by the fields of that error and never by its
//! words, which are in the server's language.

use std::sync::Arc;

use crate::plan::catalog::Catalog;
use crate::plan::names::Names;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::reading::Reading;
use crate::project::source::{Name, Source, Span};
use crate::project::sql::condition;
use crate::project::yaml::Node;

/// What may be said of an error.
pub const KEYS: &[&str] = &["condition", "sqlstate", "constraint", "table", "column"];

/// An error that is expected. What is not said of it may be anything.
#[derive(Debug, Default)]
pub struct Refusal {
    /// Its condition or code as the author wrote it, and the codes that this stands for.
    pub condition: Option<(Name, Vec<String>)>,
    /// The constraint or unique index that is violated.
    pub constraint: Option<Name>,
    /// The table that the server names.
    pub table: Option<Name>,
    /// The column that the server names.
    pub column: Option<Name>,
}

impl Refusal {
    /// Reads the map under `error`.
    pub fn read(reading: &mut Reading, node: Node) -> Option<Refusal> {
        let span = node.span;
        let mut refusal = Refusal::default();
        let entries = reading.map(node, "`error`")?;
        if entries.is_empty() {
            let help = "say which: `error: {condition: unique_violation}`";
            reading.problem_help(span, "any error would do", help);
            return None;
        }
        for entry in entries {
            let what = format!("`{}`", entry.key);
            match entry.key.as_str() {
                "condition" | "sqlstate" if refusal.condition.is_some() => {
                    let help = "keep one of the two: they say the same";
                    reading.problem_help(entry.key_span, "`condition` and `sqlstate` are both given", help);
                }
                "condition" => {
                    let name = reading.text(entry.value, &what);
                    refusal.condition = name.map(|name| {
                        let codes = codes(reading, &name);
                        (name, codes)
                    });
                }
                "sqlstate" => {
                    let name = reading.text(entry.value, &what);
                    refusal.condition = name.map(|name| {
                        let codes = vec![name.text.clone()];
                        if !condition::is_code(&name.text) {
                            let message = format!("`{}` is no SQLSTATE", name.text);
                            let is_name = condition::codes(&name.text).next().is_some();
                            let help = match is_name {
                                true => format!("it is a condition: `condition: {}`", name.text),
                                false => "it has five digits or capital letters, like `23505`".to_owned(),
                            };
                            reading.problem_help(name.span, message, help);
                        }
                        (name, codes)
                    });
                }
                "constraint" => refusal.constraint = reading.text(entry.value, &what),
                "table" => refusal.table = reading.text(entry.value, &what),
                "column" => refusal.column = reading.text(entry.value, &what),
                _ => reading.unknown_key(&entry, "`error`", KEYS),
            }
        }
        Some(refusal)
    }

    /// Notes names that the database does not have.
    pub fn check(
        &self,
        source: &Arc<Source>,
        catalog: &Catalog,
        names: &Names,
        problems: &mut Vec<Diagnostic>,
    ) {
        let mut table = None;
        if let Some(name) = &self.table {
            table = catalog.table(&name.text);
            if table.is_none() {
                let known = catalog.known.iter().map(String::as_str);
                let message = format!("there is no table `{}`", name.text);
                problems.push(unknown(message, source, name.span, did_you_mean(&name.text, known)));
                return;
            }
        }
        let of = table.map_or("there is no".to_owned(), |table| format!("table `{}` has no", table.name));
        if let Some(name) = &self.constraint {
            let owned =
                names.constraints.iter().filter(|it| table.is_none_or(|table| it.table == Some(table.oid)));
            let known: Vec<&str> = owned.map(|it| it.name.as_str()).collect();
            if !known.contains(&name.text.as_str()) {
                let message = format!("{of} constraint `{}`", name.text);
                problems.push(unknown(message, source, name.span, did_you_mean(&name.text, known)));
            }
        }
        if let Some(name) = &self.column {
            let known: Vec<&str> = match table {
                Some(table) => table.columns.iter().map(|column| column.name.as_str()).collect(),
                None => names.columns.iter().map(String::as_str).collect(),
            };
            if !known.contains(&name.text.as_str()) {
                let message = format!("{of} column `{}`", name.text);
                problems.push(unknown(message, source, name.span, did_you_mean(&name.text, known)));
            }
        }
    }
}

fn codes(reading: &mut Reading, name: &Name) -> Vec<String> {
    let codes: Vec<String> = condition::codes(&name.text).map(str::to_owned).collect();
    if codes.is_empty() {
        let help = match condition::is_code(&name.text) {
            true => Some(format!("it is a code: `sqlstate: {}`", name.text)),
            false => did_you_mean(&name.text, condition::names()),
        };
        let message = format!("PostgreSQL has no condition `{}`", name.text);
        let help = help.or_else(|| Some("its manual lists them: Appendix A, error codes".to_owned()));
        reading.problem(name.span, message).help = help;
    }
    codes
}

fn unknown(message: String, source: &Arc<Source>, span: Span, help: Option<String>) -> Diagnostic {
    Diagnostic::error(message).at(source, span).maybe_help(help)
}
