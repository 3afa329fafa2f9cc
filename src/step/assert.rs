//! `assert`: runs a query, which may only read, and compares what it returns.
//!
//! ```yaml
//! - assert: Human Resources employs Alice and Bob
//!   query: |
//!     select e.name from employees e join departments d on d.id = e.department_id
//!     where d.name = :department
//!   with: {department: Human Resources}     # bound as parameters, never pasted
//!   rows:                                   # or `row:`, `value:`, `count:`
//!     - {name: Alice}
//!     - {name: Bob}
//! ```
//!
//! `rows` are compared in any order; with `match: contains` more may come back, with
//! `match: contained` fewer. `row` is exactly one row, `value` exactly one row of one
//! column, `count` the number of rows. The query's columns are exactly those that the expectation
//! names. Outcomes: `held`, `differs`.
//!
//! Values are read by the type of the query's own column, and parameters by the type they are used
//! as, as in a fixture: what stands for a json column is JSON, a list is an array elsewhere.
//! They are equal when they mean the same:
//!
//! - numbers by number: `1.10` equals `1.1` in a numeric column, and differs in a text column;
//! - a timestamptz by its instant, a range by its bounds, json by what it says;
//! - an array by its elements, wherever their numbering starts: `'[0:1]={1,2}'` equals `[1, 2]`;
//! - char(n) without the blanks at its end;
//! - everything else by its text, letter by letter, citext and collations included.
//!
//! Length, precision and domain of a column never cut or round what is expected: it differs instead.
//! A text that the type itself reads as something else (`16777217` as float4, a date with a time of
//! day, a zone other than UTC where the type has none) is an error.
//!
//! The query is run at once, and where that says for certain that the step holds, it is over. Else the
//! server says what the columns are, and compares. The transaction reads only and is always rolled back,
//! so that no setting or lock of it stays.

mod cell;
mod columns;
mod compile;
mod decimal;
mod equality;
mod faithful;
mod guess;
mod judge;
mod plain;
mod table;

use std::sync::Arc;

use super::{Action, Kind, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::{Access, Batch, Compile, CompileQuick, Shape};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::reading::Reading;
use crate::project::source::{Name, Source, Span, word_length};
use crate::project::sql::parameters::{Parameterised, parameters};
use crate::project::value::{Row, check_cell};
use crate::project::yaml::{Entry, Node};

/// The most rows an expectation may list: more is no longer read by anybody.
const ROWS_MAX: usize = 1_000;
/// The most rows that are shown of those that came and were not expected, or the other way round.
const ROWS_MORE: usize = 20;

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "assert",
    keys: &["query", "with", "rows", "match", "row", "value", "count"],
    outcomes: &[Outcome::Held, Outcome::Differs],
    accepted: &[Outcome::Held],
    parse,
};

/// What an `assert` step says.
#[derive(Debug)]
pub struct Assert {
    /// The query, as written.
    pub query: Name,
    /// The query with its parameters numbered.
    sql: Parameterised,
    /// The values of its parameters, in the order of their numbers.
    with: Vec<Entry>,
    /// What must come back.
    expected: Expected,
    /// Where that is said.
    expected_span: Span,
}

/// What must come back.
#[derive(Debug)]
enum Expected {
    /// These rows, in any order. All of them give the same columns.
    Rows(Vec<Row>, Match),
    /// One value.
    Value(Node),
    /// This many rows.
    Count(u64),
}

/// How the rows that come back relate to those that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
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

fn parse(reading: &mut Reading, span: Span, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut query, mut with, mut expected, mut matching) = (None, Vec::new(), None, None);
    for entry in entries {
        let key_span = entry.key_span;
        match entry.key.as_str() {
            "query" => query = reading.passage(entry.value, "`query`"),
            "with" => {
                with = reading.map(entry.value, "`with`")?;
                for parameter in &with {
                    check_cell(reading, &parameter.key, &parameter.value);
                }
            }
            "rows" | "row" | "value" | "count" if expected.is_some() => {
                reading.problem_help(
                    key_span,
                    "two expectations for one query",
                    "keep one of `rows`, `row`, `value` and `count`",
                );
            }
            "rows" => {
                let items = reading.list(entry.value, "`rows`")?;
                let rows: Vec<Row> =
                    items.into_iter().filter_map(|item| Row::parse(reading, item, "a row")).collect();
                check_rows(reading, &rows, key_span);
                expected = Some((Expected::Rows(rows, Match::Exact), key_span));
            }
            "match" => matching = Some((reading.choice(entry.value, "match", Match::WORDS)?, key_span)),
            "row" => {
                let row = Row::parse(reading, entry.value, "`row`")?;
                expected = Some((Expected::Rows(vec![row], Match::Exact), key_span));
            }
            "value" => {
                check_cell(reading, "value", &entry.value);
                expected = Some((Expected::Value(entry.value), key_span));
            }
            "count" => {
                expected = Some((Expected::Count(reading.whole_number(entry.value, "`count`")?), key_span))
            }
            _ => reading.unknown_key(&entry, "an `assert` step", KIND.keys),
        }
    }
    if query.is_none() {
        reading.problem_help(span, "this step asserts nothing", "write the `query` whose rows are compared");
    }
    if expected.is_none() {
        reading.problem_help(
            span,
            "this step expects nothing",
            "say what the query returns: `rows:`, `row:`, `value:` or `count:`",
        );
    }
    if let Some((chosen, span)) = matching {
        match &mut expected {
            Some((Expected::Rows(rows, _), _)) if rows.is_empty() && chosen == Match::Contains => {
                reading.problem_help(span, "every result contains no rows", "list one, or leave `match` out");
            }
            Some((Expected::Rows(_, matching), _)) => *matching = chosen,
            _ => reading.problem_help(span, "`match` belongs to `rows`", "leave it out"),
        }
    }
    let query = query?;
    let sql = understand(reading, &query)?;
    let with = bind(reading, &query, &sql, with)?;
    let (expected, expected_span) = expected?;
    Some(Box::new(Arc::new(Assert { query, sql, with, expected, expected_span })))
}

/// Numbers the query's parameters, and refuses what is not one statement.
fn understand(reading: &mut Reading, query: &Name) -> Option<Parameterised> {
    let source = reading.source.clone();
    let problem = |reading: &mut Reading, offset: usize, message: String, help: &str| {
        let span = source.within(query.span, &query.text, offset);
        reading.problem_help(span, message, help);
    };
    let statements = match crate::project::sql::statements::statements(&query.text) {
        Ok(statements) => statements,
        Err(error) => {
            problem(reading, error.offset, error.to_string(), error.kind.help());
            return None;
        }
    };
    match statements.as_slice() {
        [] => {
            problem(reading, 0, "the query is empty".to_owned(), "write a `select`");
            return None;
        }
        [_] => {}
        [_, second, ..] => {
            problem(
                reading,
                second.start,
                "a query is one statement, and here a second one starts".to_owned(),
                "make it a step of its own",
            );
            return None;
        }
    }
    let first = first_word(&query.text[statements[0].clone()]);
    if !matches!(first.as_str(), "select" | "with" | "values" | "table" | "(") {
        let help = "an assertion only reads: `add`, `delete` and `seed` write";
        problem(
            reading,
            statements[0].start,
            format!("a query begins with `select`, `with`, `values` or `table`, not `{first}`"),
            help,
        );
        return None;
    }
    let only = &query.text[..statements[0].end];
    match parameters(only) {
        Ok(sql) => Some(sql),
        Err(error) => {
            problem(reading, error.offset, error.to_string(), error.kind.help());
            None
        }
    }
}

/// The first word of a statement in lower case, or its opening parenthesis.
fn first_word(statement: &str) -> String {
    let length = word_length(statement);
    statement[..length].to_lowercase()
}

/// Pairs the query's parameters with the values under `with`.
fn bind(
    reading: &mut Reading,
    query: &Name,
    sql: &Parameterised,
    mut with: Vec<Entry>,
) -> Option<Vec<Entry>> {
    let mut bound = Vec::new();
    let names: Vec<String> = sql.parameters.iter().map(|parameter| parameter.name.clone()).collect();
    for parameter in &sql.parameters {
        match with.iter().position(|entry| entry.key == parameter.name) {
            Some(at) => bound.push(with.remove(at)),
            None => {
                let offset = parameter.uses.first().map_or(0, |used| used.start);
                let span = reading.source.within(query.span, &query.text, offset + 1);
                let help = format!("give it: `with: {{{}: …}}`", parameter.name);
                reading.problem_help(span, format!("the parameter `{}` has no value", parameter.name), help);
            }
        }
    }
    for unused in &with {
        let help = did_you_mean(&unused.key, names.iter().map(String::as_str));
        reading.problem(unused.key_span, format!("the query has no parameter `:{}`", unused.key)).help = help;
    }
    (bound.len() == names.len()).then_some(bound)
}

fn check_rows(reading: &mut Reading, rows: &[Row], span: Span) {
    if rows.len() > ROWS_MAX {
        reading.problem_help(
            span,
            format!("an expectation lists at most {ROWS_MAX} rows, and this one {}", rows.len()),
            "compare a `count` or a sum instead",
        );
    }
    let Some(first) = rows.first() else { return };
    let names =
        |row: &Row| row.cells.iter().map(|cell| cell.key.clone()).collect::<std::collections::BTreeSet<_>>();
    for row in &rows[1..] {
        if names(row) != names(first) {
            let context = (first.span, "the first row gives others".to_owned());
            let problem = reading.problem(row.span, "every row gives the same columns");
            problem.context = Some(context);
        }
    }
}

impl Action for Arc<Assert> {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        Vec::new()
    }

    fn writes(&self) -> bool {
        false
    }

    fn compile(&self, step: &Step, _: &Project, _: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let (assert, source) = (self.clone(), step.source.clone());
        let query = assert.described(&source);
        let guess = guess::guess(&assert, &source);
        let (short, file) = (assert.clone(), source.clone());
        let quick: CompileQuick = Box::new(move |description| short.quick(description, &file));
        let compile: Compile = Box::new(move |description| assert.question(description, &source));
        Ok(Batch {
            access: Access::Read,
            shape: Shape::Described { query, guess, quick, compile },
            shortcut: None,
            deletion: None,
            settled: None,
            warnings: Vec::new(),
            refusals: &[],
        })
    }
}
