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
//! `rows` are compared in any order, unless `ordered: true`; with `match: contains` more may come back,
//! with `match: contained` fewer. They are a list of maps, or a table between pipes below `rows: |`. `row`
//! is exactly one row, `value` exactly one row of one column, `count` the number of rows. The query's
//! columns are exactly those that the expectation names; with `columns: partial` what is not named is not
//! compared. In place of a value may stand a matcher, as in `{$gt: 2}`, also inside of JSON and of lists.
//! `key` names the columns that tell which row is which, so that a failure says which cell differs; where
//! it is not given, a key of the table is taken that the query selects. `error` is an error of the server
//! in place of rows. Outcomes: `held`, `differs`.
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

pub(super) mod cell;
mod columns;
mod compile;
mod condition;
mod decimal;
mod difference;
mod equality;
mod expected;
mod faithful;
mod guess;
mod judge;
mod matching;
mod order;
mod pairing;
mod plain;
mod revision;
mod rows;
mod table;
mod update;
mod why;

use std::sync::Arc;

use super::script::Script;
use super::{Action, Head, Kind, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::description::{self, Type};
use crate::plan::{Access, Batch, Compile, CompileQuick, Shape};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::instruction::Purpose;
use crate::project::reading::Reading;
use crate::project::source::{Name, Source, Span, word_length};
use crate::project::sql::parameters::{Parameterised, parameters};
use crate::project::sql::statements::first_words;
use crate::project::value::check_cell_for;
use crate::project::yaml::Entry;
use expected::{Expected, Keys};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "assert",
    keys: &[
        "query", "with", "rows", "match", "ordered", "columns", "key", "row", "value", "count", "text",
        "error",
    ],
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
    /// Whether values are compared by their texts, letter by letter.
    is_text: bool,
}

fn parse(reading: &mut Reading, Head { span, error }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut query, mut with, mut is_text) = (None, Vec::new(), false);
    let mut keys = Keys::default();
    for entry in entries {
        let Some(entry) = keys.read(reading, entry) else { continue };
        match entry.key.as_str() {
            "query" => query = reading.passage(entry.value, "`query`"),
            "with" => {
                with = reading.map(entry.value, "`with`")?;
                for parameter in &with {
                    check_cell_for(Purpose::Compare, reading, &parameter.key, &parameter.value);
                }
            }
            "text" => is_text = reading.flag(entry.value, "value of `text`"),
            _ => reading.unknown_key(&entry, "an `assert` step", KIND.keys),
        }
    }
    if query.is_none() {
        reading.problem_help(span, "this step asserts nothing", "write the `query` whose rows are compared");
    }
    let expected = keys.expected(reading, span, error.is_some());
    let query = query?;
    let sql = understand(reading, &query)?;
    let with = bind(reading, &query, &sql, with)?;
    if error.is_some() {
        return Some(Box::new(Arc::new(Script::of_query(query, sql, with))));
    }
    let (expected, expected_span) = expected?;
    Some(Box::new(Arc::new(Assert { query, sql, with, expected, expected_span, is_text })))
}

/// The type that everything is compared as where its text is.
fn text_type() -> Type {
    Type { sql: "text".to_owned(), kind: description::Kind::Plain }
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
pub(super) fn bind(
    reading: &mut Reading,
    query: &Name,
    sql: &Parameterised,
    mut with: Vec<Entry>,
) -> Option<Vec<Entry>> {
    let mut bound = Vec::new();
    let names: Vec<String> = sql.parameters.iter().map(|parameter| parameter.name.clone()).collect();
    for parameter in &sql.parameters {
        let offset = parameter.uses.first().map_or(0, |used| used.start);
        let span = reading.source.within(query.span, &query.text, offset + 1);
        if let Some(at) = with.iter().position(|entry| entry.key == parameter.name) {
            bound.push(with.remove(at));
            continue;
        }
        match reading.bound(&parameter.name, span) {
            Some(value) => bound.push(Entry { key: parameter.name.clone(), key_span: span, value }),
            None => {
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

impl Assert {
    /// That rows are expected in an order which the query does not ask for.
    fn unordered(&self, source: &Arc<Source>) -> Option<Diagnostic> {
        let is_ordered = matches!(&self.expected, Expected::Rows(rows) if rows.is_ordered);
        let words = first_words(&self.query.text, usize::MAX);
        let has_order = words.windows(2).any(|pair| pair == ["order", "by"]);
        (is_ordered && !has_order).then(|| {
            Diagnostic::warning("these rows are expected in an order that the query does not ask for")
                .at(source, self.expected_span)
                .note("without `order by` the server may return them in another one at any time")
                .help("add `order by`, or leave out `ordered`")
        })
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

    fn compile(&self, step: &Step, project: &Project, _: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let warnings = self.unordered(&step.source).into_iter().collect();
        let now = project.outside.now.clone();
        let (assert, source) = (self.clone(), step.source.clone());
        let query = assert.described(&source);
        // The quick ways do not keep the row that others refer to.
        let is_captured = step.links.is_captured;
        let guess = (!is_captured).then(|| guess::guess(&assert, &source)).flatten();
        let (short, file) = (assert.clone(), source.clone());
        let quick: CompileQuick = Box::new(move |description| match is_captured {
            true => None,
            false => short.quick(description, &file),
        });
        let compile: Compile = Box::new(move |description| assert.question(description, &source, &now));
        let shape = Shape::Described { query, guess, quick, compile };
        Ok(Batch { warnings, ..Batch::of(Access::Read, shape) })
    }
}
