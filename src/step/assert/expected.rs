//! What an assertion expects, as it is written.

use crate::project::diagnostic::{did_you_mean, list};
use crate::project::instruction::Purpose;
use crate::project::matcher;
use crate::project::pipe;
use crate::project::quantity::Quantity;
use crate::project::reading::Reading;
use crate::project::source::{Name, Span};
use crate::project::value::{Row, check_cell_for};
use crate::project::yaml::{Content, Entry, Node};

/// The most rows an expectation may list: more is no longer read by anybody.
pub const ROWS_MAX: usize = 20_000;

/// What must come back.
#[derive(Debug)]
pub enum Expected {
    /// These rows.
    Rows(Rows),
    /// One value.
    Value(Node),
    /// This many rows.
    Count(Quantity),
}

/// Rows that are expected.
#[derive(Debug)]
pub struct Rows {
    /// The rows. Unless they are partial, all of them give the same columns.
    pub rows: Vec<Row>,
    /// How they relate to those that come back.
    pub matching: Match,
    /// Whether they come in this order.
    pub is_ordered: bool,
    /// Whether the query may return columns that they do not name.
    pub is_partial: bool,
    /// The columns that tell which row is which, if the author names them.
    pub key: Vec<Name>,
    /// Whether they are one `row`.
    pub is_one: bool,
}

/// How the rows that come back relate to those that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// They are the same.
    Exact,
    /// All that are listed are among them.
    Contains,
    /// All of them are listed.
    Contained,
}

impl Match {
    const WORDS: &[(&str, Match)] =
        &[("exact", Match::Exact), ("contains", Match::Contains), ("contained", Match::Contained)];
}

/// The keys of an assertion that say what it expects.
#[derive(Default)]
pub struct Keys {
    expected: Option<(Expected, Span)>,
    /// Those that belong to `rows` or to `row`, with their places.
    matching: Option<(Match, Span)>,
    ordered: Option<(bool, Span)>,
    partial: Option<(bool, Span)>,
    key: Option<(Vec<Name>, Span)>,
    /// Whether a key of those was there, though it could not be read.
    is_broken: bool,
}

impl Keys {
    /// Reads one of the keys; any other is handed back.
    pub fn read(&mut self, reading: &mut Reading, entry: Entry) -> Option<Entry> {
        let (span, key) = (entry.key_span, entry.key.as_str());
        if matches!(key, "rows" | "row" | "value" | "count") {
            if self.expected.is_some() || self.is_broken {
                let help = "keep one of `rows`, `row`, `value` and `count`";
                reading.problem_help(span, "two expectations for one query", help);
                return None;
            }
            let expected = match key {
                "rows" => rows(reading, entry.value).map(Expected::Rows),
                "row" => Row::parse_for(Purpose::Expect, reading, entry.value, "`row`")
                    .map(|row| Expected::Rows(Rows { is_one: true, ..Rows::of(vec![row]) })),
                "value" => {
                    check_cell_for(Purpose::Expect, reading, "value", &entry.value);
                    Some(Expected::Value(entry.value))
                }
                _ => Quantity::read(reading, entry.value, "`count`").map(Expected::Count),
            };
            self.is_broken |= expected.is_none();
            self.expected = expected.map(|expected| (expected, span));
            return None;
        }
        match key {
            "match" => self.matching = with(reading.choice(entry.value, "match", Match::WORDS), span),
            "ordered" => self.ordered = Some((reading.flag(entry.value, "value of `ordered`"), span)),
            "columns" => {
                let words = &[("partial", true), ("exact", false)];
                self.partial = with(reading.choice(entry.value, "value of `columns`", words), span);
            }
            "key" => self.key = Some((reading.names(entry.value, "`key`"), span)),
            _ => return Some(entry),
        }
        None
    }

    /// What is expected, with the place of its key, once all keys were read. `span` is the step's, and
    /// whether it expects to be refused is told elsewhere.
    pub fn expected(self, reading: &mut Reading, span: Span, is_refused: bool) -> Option<(Expected, Span)> {
        match &self.expected {
            None if !self.is_broken && !is_refused => reading.problem_help(
                span,
                "this step expects nothing",
                "say what the query returns: `rows:`, `row:`, `value:`, `count:` or `error:`",
            ),
            Some((_, span)) if is_refused => reading.problem_help(
                *span,
                "a query that is refused returns nothing",
                "keep this, or the `error` that is expected",
            ),
            _ => {}
        }
        let Some((Expected::Rows(mut rows), span)) = self.expected else {
            let others = [
                self.matching.map(|it| ("match", it.1)),
                self.ordered.map(|it| ("ordered", it.1)),
                self.partial.map(|it| ("columns", it.1)),
                self.key.map(|it| ("key", it.1)),
            ];
            for (key, span) in others.into_iter().flatten().filter(|_| !self.is_broken) {
                reading.problem_help(span, format!("`{key}` belongs to `rows`"), "leave it out");
            }
            return self.expected;
        };
        if let Some((matching, span)) = self.matching {
            rows.matching = matching;
            if rows.rows.is_empty() && matching == Match::Contains {
                reading.problem_help(span, "every result contains no rows", "list one, or leave `match` out");
            }
        }
        if let Some((is_ordered, span)) = self.ordered {
            rows.is_ordered = is_ordered;
            if rows.is_one {
                reading.problem_help(
                    span,
                    "`ordered` belongs to `rows`",
                    "leave it out: one row is in order",
                );
            }
        }
        rows.is_partial = self.partial.is_some_and(|(is_partial, _)| is_partial);
        if !rows.is_partial {
            check_columns(reading, &rows.rows);
        }
        if let Some((key, span)) = self.key {
            if rows.is_ordered {
                let help = "leave `key` out: rows in order are told apart by their place";
                reading.problem_help(span, "`key` and `ordered` exclude each other", help);
            }
            check_key(reading, &rows.rows, &key);
            rows.key = key;
        }
        if rows.rows.len() > ROWS_MAX {
            reading.problem_help(
                span,
                format!("an expectation lists at most {ROWS_MAX} rows, and this one {}", rows.rows.len()),
                "compare a `count` or a sum instead",
            );
        }
        Some((Expected::Rows(rows), span))
    }
}

impl Rows {
    fn of(rows: Vec<Row>) -> Rows {
        Rows {
            rows,
            matching: Match::Exact,
            is_ordered: false,
            is_partial: false,
            key: Vec::new(),
            is_one: false,
        }
    }
}

fn with<T>(value: Option<T>, span: Span) -> Option<(T, Span)> {
    value.map(|value| (value, span))
}

/// A list of maps, or a table between pipes.
fn rows(reading: &mut Reading, node: Node) -> Option<Rows> {
    let items = match node.content {
        Content::Scalar(text, _) => pipe::rows(reading, &text, node.span),
        content => reading.list(Node { content, span: node.span }, "`rows`")?,
    };
    let rows = items.into_iter().filter_map(|item| Row::parse_for(Purpose::Expect, reading, item, "a row"));
    Some(Rows::of(rows.collect()))
}

fn check_columns(reading: &mut Reading, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let names =
        |row: &Row| row.cells.iter().map(|cell| cell.key.clone()).collect::<std::collections::BTreeSet<_>>();
    let wanted = names(first);
    for row in &rows[1..] {
        if names(row) != wanted {
            let context = (first.span, "the first row gives others".to_owned());
            let problem = reading.problem(row.span, "every row gives the same columns");
            problem.context = Some(context);
            problem.help =
                Some("or write `columns: partial`: what a row leaves out is not compared".to_owned());
        }
    }
}

/// Every row gives every column of the key, as a value.
fn check_key(reading: &mut Reading, rows: &[Row], key: &[Name]) {
    for name in key {
        for row in rows {
            match row.cells.iter().find(|cell| cell.key == name.text) {
                Some(cell) if matcher::is_in(&cell.value) => {
                    let help = "give the value itself, or leave the column out of `key`";
                    let message = format!("`{}` tells rows apart, and a matcher does not", name.text);
                    reading.problem_help(cell.value.span, message, help);
                }
                Some(_) => {}
                None => {
                    let names: Vec<&str> = row.cells.iter().map(|cell| cell.key.as_str()).collect();
                    let context = (row.span, "this row does not give it".to_owned());
                    let help = did_you_mean(&name.text, names.iter().copied());
                    let problem = reading
                        .problem(name.span, format!("the key's column `{}` is not compared", name.text));
                    problem.context = Some(context);
                    problem.help = help.or_else(|| Some(format!("compared are {}", list(&names))));
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::KIND;
    use crate::project::scenario::Scenario;
    use crate::project::source::{Place, Source};

    fn check(expectation: &str, expected: &str) {
        let text = format!("scenario: S\nsteps:\n  - assert: it\n    query: select 1\n    {expectation}\n");
        let mut problems = Vec::new();
        Scenario::parse(Source::new("a", text), &mut problems);
        let told: Vec<String> = problems
            .iter()
            .map(|it| {
                let place = it.place.as_ref().map(Place::to_string).unwrap_or_default();
                format!("{} {}", place.trim_start_matches("a:"), it.message)
            })
            .collect();
        assert_eq!(told.join("; "), expected, "{expectation}");
    }

    #[test]
    fn keys_belong_to_the_expectation_they_are_for() {
        assert!(KIND.keys.contains(&"ordered"));
        check("rows: [{a: 1}]\n    ordered: true", "");
        check("rows: [{a: 1}]\n    key: a\n    match: contains", "");
        check("rows: [{a: 1}, {b: 1}]\n    columns: partial", "");
        check("rows: |\n      | a |\n      | 1 |", "");
        check("count: {$gt: 2}", "");
        check("value: {$matches: x}", "");
        check("row: {a: 1}\n    ordered: true", "6:5 `ordered` belongs to `rows`");
        check("count: 1\n    key: a", "6:5 `key` belongs to `rows`");
        check("count: 1\n    row: {a: 1}", "6:5 two expectations for one query");
        check("rows: [{a: 1}]\n    key: b", "6:10 the key's column `b` is not compared");
        check("rows: [{a: {$gt: 1}}]\n    key: a", "5:16 `a` tells rows apart, and a matcher does not");
        check("rows: [{a: 1}]\n    key: a\n    ordered: true", "6:5 `key` and `ordered` exclude each other");
        check("rows: [{a: 1}, {b: 1}]", "5:20 every row gives the same columns");
        check("rows: []\n    match: contains", "6:5 every result contains no rows");
        check("rows: text", "5:11 a table of rows stands below `|`");
        check("count: {$foo: 2}", "5:13 there is no matcher `$foo`");
        check("count: {a: 2}", "5:13 there is no matcher `a`");
    }
}
