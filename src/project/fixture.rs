//! Fixtures: rows that should exist. The file's name is the table.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::reading::Reading;
use super::source::{Name, Source, Span};
use super::value::{Row, check_cell};
use super::yaml::{self, Content, Entry, Node};

/// The keys of a fixture written as a map.
pub const KEYS: &[&str] = &["key", "mode", "insert_only", "defaults", "rows"];

/// Rows of one table that should exist.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The file's name without extension: what scenarios call it.
    pub name: String,
    /// The table it fills, `table` or `schema.table`.
    pub table: Name,
    /// The columns that tell one row from another, if the author says so.
    pub key: Option<Vec<Name>>,
    /// What happens to rows, if the author says so.
    pub mode: Option<Mode>,
    /// The columns that are given to new rows, and left alone in rows that are there.
    pub insert_only: Vec<Name>,
    /// The rows, each with the fixture's defaults filled in.
    pub rows: Vec<Row>,
    /// The file.
    pub source: Arc<Source>,
}

/// What happens to rows that are missing and rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Rows are inserted only when the table has no row at all.
    IfEmpty,
    /// Missing rows are inserted, existing ones kept.
    Insert,
    /// Missing rows are inserted, and existing ones get the values that the fixture gives.
    Upsert,
}

impl Mode {
    /// Every mode with its word, from the one that writes least.
    pub const WORDS: &[(&str, Mode)] =
        &[("if-empty", Mode::IfEmpty), ("insert", Mode::Insert), ("upsert", Mode::Upsert)];
}

impl Fixture {
    /// Reads a fixture file. Every problem is noted; what is left of the fixture is returned.
    pub fn parse(source: Arc<Source>, problems: &mut Vec<Diagnostic>) -> Option<Fixture> {
        let node = yaml::parse(&source).map_err(|problem| problems.push(problem)).ok()?;
        let name = source.stem().to_owned();
        let table = Name { text: name.clone(), span: node.span };
        Fixture::read(&mut Reading { source: &source, problems }, name, table, node)
    }

    /// Reads a fixture from a node: a list of rows, or a map with `rows`.
    pub fn read(reading: &mut Reading, name: String, table: Name, node: Node) -> Option<Fixture> {
        let span = node.span;
        let mut fixture = Fixture {
            name,
            table,
            key: None,
            mode: None,
            insert_only: Vec::new(),
            rows: Vec::new(),
            source: reading.source.clone(),
        };
        let mut defaults = Vec::new();
        match node.content {
            Content::List(items) => fixture.rows = rows(reading, items),
            Content::Map(entries) => {
                let mut has_rows = false;
                for entry in entries {
                    match entry.key.as_str() {
                        "key" => fixture.key = Some(reading.names(entry.value, "`key`")),
                        "mode" => fixture.mode = reading.choice(entry.value, "mode", Mode::WORDS),
                        "insert_only" => fixture.insert_only = reading.names(entry.value, "`insert_only`"),
                        "defaults" => {
                            defaults = reading.map(entry.value, "`defaults`").unwrap_or_default();
                            for cell in &defaults {
                                check_cell(reading, &cell.key, &cell.value);
                            }
                        }
                        "rows" => {
                            has_rows = true;
                            let items = reading.list(entry.value, "`rows`").unwrap_or_default();
                            fixture.rows = rows(reading, items);
                        }
                        _ => reading.unknown_key(&entry, "a fixture", KEYS),
                    }
                }
                if !has_rows {
                    reading.problem_help(
                        span,
                        "a fixture needs `rows`",
                        "write `rows:` and a list of rows, or make the whole file that list",
                    );
                }
            }
            _ => {
                let message = format!("a fixture is a list of rows, and here stands {}", node.noun());
                reading.problem_help(span, message, "write `- {column: value}`, one line for each row");
                return None;
            }
        }
        for row in &mut fixture.rows {
            fill(row, &defaults);
        }
        Some(fixture)
    }
}

fn rows(reading: &mut Reading, items: Vec<Node>) -> Vec<Row> {
    items.into_iter().filter_map(|item| Row::parse(reading, item, "a row")).collect()
}

fn fill(row: &mut Row, defaults: &[Entry]) {
    for default in defaults {
        if !row.cells.iter().any(|cell| cell.key == default.key) {
            row.cells.push(default.clone());
        }
    }
}

/// The place of a fixture as a whole.
pub fn place(fixture: &Fixture) -> Span {
    fixture.rows.first().map_or(fixture.table.span, |row| row.span)
}
