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
//! column, `count` the number of rows. Values are read by the type of the query's own column, so
//! `1.10` equals `1.1` in a numeric column and differs in a text column. The query's columns are
//! exactly those that the expectation names. Outcomes: `held`, `differs`.

use std::sync::Arc;

use super::{Action, Kind, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::quote::identifier;
use crate::plan::{Access, Answer, Batch, Judgement, Locate, Statement, number, text};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count, did_you_mean, list};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source, Span, character_offset, word_length};
use crate::project::sql::parameters::{Parameterised, parameters};
use crate::project::value::{Row, array_literal, check_cell, json_text};
use crate::project::yaml::{Content, Entry, Node};

/// The most rows an expectation may list: each is compared with each row that comes back.
const ROWS_MAX: usize = 1_000;
/// The most rows that come back beyond those expected; the rest is only counted.
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
            "query" => query = reading.text(entry.value, "`query`"),
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
            Some((Expected::Rows(_, matching), _)) => *matching = chosen,
            _ => reading.problem_help(span, "`match` belongs to `rows`", "leave it out"),
        }
    }
    let query = query?;
    let sql = understand(reading, &query)?;
    let with = bind(reading, &query, &sql, with)?;
    let (expected, expected_span) = expected?;
    Some(Box::new(Assert { query, sql, with, expected, expected_span }))
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

impl Action for Assert {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        Vec::new()
    }

    fn compile(&self, step: &Step, _: &Project, _: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let mut statement = Statement::default();
        for entry in &self.with {
            let place = Place::new(&step.source, entry.value.span);
            statement.bind(parameter_text(&entry.value), Some(place), format!(":{}", entry.key));
        }
        let place = Place::new(&step.source, self.expected_span);
        let judge: crate::plan::Judge = match &self.expected {
            Expected::Count(expected) => {
                self.wrap(&mut statement, step, "", "select count(*)::text from seedbed_query");
                let expected = *expected as usize;
                Box::new(move |answer| Ok(judge_count(answer, expected, &place)))
            }
            Expected::Value(value) => {
                self.compile_rows(
                    &mut statement,
                    step,
                    &["value"],
                    &[vec![value]],
                    "(c1)",
                    &["c1".to_owned()],
                );
                Box::new(move |answer| {
                    Ok(judge_rows(answer, &["value".to_owned()], 1, Match::Exact, &place, true))
                })
            }
            Expected::Rows(rows, matching) => {
                let matching = *matching;
                let columns: Vec<String> = rows
                    .first()
                    .map_or(Vec::new(), |row| row.cells.iter().map(|cell| cell.key.clone()).collect());
                let names: Vec<&str> = columns.iter().map(String::as_str).collect();
                let cells: Vec<Vec<&Node>> = rows
                    .iter()
                    .map(|row| {
                        columns
                            .iter()
                            .filter_map(|name| row.cells.iter().find(|cell| cell.key == *name))
                            .map(|cell| &cell.value)
                            .collect()
                    })
                    .collect();
                let quoted: Vec<String> = columns.iter().map(|name| identifier(name)).collect();
                self.compile_rows(&mut statement, step, &names, &cells, "", &quoted);
                let expected = rows.len();
                Box::new(move |answer| Ok(judge_rows(answer, &columns, expected, matching, &place, false)))
            }
        };
        Ok(Batch { access: Access::Read, statement, refusals: &[], judge })
    }
}

impl Assert {
    /// One statement that runs the query once, reads the expected values by the types of its
    /// columns, and says for each row that came back which expected rows it equals.
    ///
    /// The expected values take their types from an empty select of the query's columns that they
    /// are united with. Two values are equal when their texts are, or their JSON forms: that gives
    /// every type the equality of its values (numbers by number, times by instant) without knowing
    /// the type, and none of the looseness of `=` on citext or char.
    fn compile_rows(
        &self,
        statement: &mut Statement,
        step: &Step,
        names: &[&str],
        rows: &[Vec<&Node>],
        alias: &str,
        columns: &[String],
    ) {
        let aliases: Vec<String> = (1..=names.len()).map(|at| format!("c{at}")).collect();
        let typed: Vec<String> =
            columns.iter().zip(&aliases).map(|(column, alias)| format!("q.{column} as {alias}")).collect();
        let mut expected = format!("select 0 as n{} from seedbed_query q where false", comma_before(&typed));
        for (at, cells) in rows.iter().enumerate() {
            let values: Vec<String> = cells
                .iter()
                .zip(names)
                .map(|(cell, name)| {
                    let place = Place::new(&step.source, cell.span);
                    statement.bind(parameter_text(cell), Some(place), (*name).to_owned())
                })
                .collect();
            expected.push_str(&format!("\n  union all select {}{}", at + 1, comma_before(&values)));
        }
        let same: Vec<String> = columns
            .iter()
            .zip(&aliases)
            .map(|(column, alias)| {
                format!("(a.{column}::text is not distinct from e.{alias}::text or to_jsonb(a.{column}) = to_jsonb(e.{alias}))")
            })
            .collect();
        let same = if same.is_empty() { "true".to_owned() } else { same.join(" and ") };
        let texts = |alias: &str, columns: &[String]| {
            let texts: Vec<String> = columns.iter().map(|column| format!("{alias}.{column}::text")).collect();
            comma_before(&texts)
        };
        let select = format!(
            "select 'columns', (select string_agg(k, chr(10)) from (select json_object_keys(row_to_json(q)) as k from (select * from seedbed_query limit 1) q) k), (select count(*)::text from seedbed_query){nulls}
union all
select 'expected', e.n::text, null{expected_texts} from seedbed_expected e
union all
(select 'actual', a.seedbed_n::text, (select string_agg(e.n::text, ',') from seedbed_expected e where {same}){actual_texts}
from (select row_number() over () as seedbed_n, q.* from seedbed_query q limit {limit}) a)",
            nulls = ", null".repeat(columns.len().max(1)),
            expected_texts = if columns.is_empty() { ", null".to_owned() } else { texts("e", &aliases) },
            actual_texts = if columns.is_empty() {
                ", (to_jsonb(a) - 'seedbed_n')::text".to_owned()
            } else {
                texts("a", columns)
            },
            limit = rows.len() + ROWS_MORE,
        );
        let expected = format!(",\nseedbed_expected as materialized (\n  {expected}\n)");
        self.wrap_with(statement, step, alias, &expected, &select);
    }

    /// The columns that are expected, and where they are first named.
    fn columns(&self, step: &Step) -> Vec<(String, Place)> {
        let Expected::Rows(rows, _) = &self.expected else { return Vec::new() };
        let cells = rows.first().map_or(&[][..], |row| &row.cells);
        cells.iter().map(|cell| (cell.key.clone(), Place::new(&step.source, cell.key_span))).collect()
    }

    fn wrap(&self, statement: &mut Statement, step: &Step, alias: &str, select: &str) {
        self.wrap_with(statement, step, alias, "", select);
    }

    /// The author's query as a common table expression, and how to find its characters again.
    fn wrap_with(&self, statement: &mut Statement, step: &Step, alias: &str, tables: &str, select: &str) {
        let head = format!("with seedbed_query{alias} as materialized (\n");
        statement.sql = format!("{head}{}\n){tables}\n{select}", self.sql.sql);
        let (sql, query, source) = (self.sql.clone(), self.query.clone(), step.source.clone());
        let (before, length) = (head.chars().count(), self.sql.sql.chars().count());
        let columns = self.columns(step);
        let whole = statement.sql.clone();
        let locate: Locate = Box::new(move |position| {
            let Some(inside) = position.checked_sub(before).filter(|inside| (1..=length).contains(inside))
            else {
                // Behind the query, the only names of the author's are the expected columns.
                let rest = &whole[character_offset(&whole, position)..];
                let (name, place) =
                    columns.iter().find(|(name, _)| rest.starts_with(&format!("q.{}", identifier(name))))?;
                return Some((place.clone(), Some(format!("the query returns no column `{name}`"))));
            };
            let offset = sql.original(inside);
            Some((Place::new(&source, source.within(query.span, &query.text, offset)), None))
        });
        statement.locate = Some(locate);
    }
}

fn comma_before(items: &[String]) -> String {
    items.iter().map(|item| format!(", {item}")).collect()
}

/// A value as the text of a parameter whose type only the server knows.
fn parameter_text(node: &Node) -> Option<String> {
    match &node.content {
        Content::Null | Content::Empty => None,
        Content::Scalar(text, _) => Some(text.clone()),
        Content::Map(_) => Some(json_text(node)),
        Content::List(items) => Some(array_literal(items).unwrap_or_else(|| json_text(node))),
    }
}

fn judge_count(answer: &Answer, expected: usize, place: &Place) -> Judgement {
    let found = answer.first().map_or(0, |row| number(row, 0));
    if found == expected {
        return Judgement { outcome: Outcome::Held, detail: Some(count(found, "row")), problem: None };
    }
    let problem = Diagnostic::failed(format!("the query returns {}, not {expected}", count(found, "row")))
        .at_place(place.clone());
    Judgement { outcome: Outcome::Differs, detail: None, problem: Some(problem) }
}

fn judge_rows(
    answer: &Answer,
    names: &[String],
    expected: usize,
    matching: Match,
    place: &Place,
    any_name: bool,
) -> Judgement {
    let of = |what: &'static str| answer.iter().filter(move |row| text(row, 0) == what);
    let differs = |problem: Diagnostic| Judgement {
        outcome: Outcome::Differs,
        detail: None,
        problem: Some(problem.at_place(place.clone())),
    };
    let head = of("columns").next();
    let columns: Vec<&str> =
        head.map_or("", |row| text(row, 1)).split('\n').filter(|name| !name.is_empty()).collect();
    let total = head.map_or(0, |row| number(row, 2));
    let unnamed: Vec<&str> =
        columns.iter().copied().filter(|column| !names.iter().any(|name| name == column)).collect();
    if any_name && columns.len() > 1 {
        return differs(Diagnostic::failed(format!(
            "`value` is one column, and the query returns {}",
            columns.len()
        )));
    }
    if !any_name && !unnamed.is_empty() && expected > 0 {
        let problem = Diagnostic::failed(format!(
            "the query also returns {}, which the expectation does not name",
            list(&unnamed)
        ));
        return differs(problem.help("select only what is compared, or name the column in every row"));
    }
    let mut left: Vec<&Vec<Option<String>>> = of("expected").collect();
    let mut extra = Vec::new();
    let mut actual: Vec<&Vec<Option<String>>> = of("actual").collect();
    actual.sort_by_key(|row| number(row, 1));
    for row in actual {
        let equals: Vec<&str> = text(row, 2).split(',').collect();
        match left.iter().position(|expected| equals.contains(&text(expected, 1))) {
            Some(at) => drop(left.remove(at)),
            None => extra.push(row),
        }
    }
    match matching {
        Match::Exact => {}
        Match::Contains => extra.clear(),
        Match::Contained => left.clear(),
    }
    if left.is_empty() && extra.is_empty() {
        return Judgement { outcome: Outcome::Held, detail: Some(count(total, "row")), problem: None };
    }
    left.sort_by_key(|row| number(row, 1));
    let message = if matching == Match::Contains {
        format!("{} of {} did not come back", left.len(), count(expected, "expected row"))
    } else if matching == Match::Contained {
        format!(
            "the query returns {} that {} not listed",
            count(extra.len(), "row"),
            if extra.len() == 1 { "is" } else { "are" }
        )
    } else if total == expected && expected == 1 {
        format!("the {} differs", if any_name { "value" } else { "row" })
    } else if total == expected {
        format!("{} of {} differ", left.len(), count(expected, "row"))
    } else {
        let verb = if expected == 1 { "is" } else { "are" };
        format!("the query returns {}, and {expected} {verb} expected", count(total, "row"))
    };
    let hidden = total.saturating_sub(expected + ROWS_MORE);
    differs(Diagnostic::failed(message).note(table(names, &left, &extra, hidden)))
}

/// What was expected and did not come, and what came and was not expected, as a table.
fn table(
    names: &[String],
    left: &[&Vec<Option<String>>],
    extra: &[&Vec<Option<String>>],
    hidden: usize,
) -> String {
    // With no row expected, no column is named, and each row is shown as JSON.
    let names = if names.is_empty() { vec!["row".to_owned()] } else { names.to_vec() };
    let mut lines: Vec<(&str, Vec<String>)> = vec![(" ", names.clone())];
    let cells = |row: &[Option<String>]| -> Vec<String> {
        row.iter()
            .skip(3)
            .map(|cell| match cell {
                None => "null".to_owned(),
                Some(text) if text.is_empty() || text == "null" || text.trim() != text => format!("'{text}'"),
                Some(text) => text.replace('\n', "⏎"),
            })
            .collect()
    };
    lines.extend(left.iter().map(|row| ("-", cells(row))));
    lines.extend(extra.iter().map(|row| ("+", cells(row))));
    let widths: Vec<usize> = (0..names.len())
        .map(|at| {
            lines
                .iter()
                .filter_map(|(_, cells)| cells.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::from("- expected, + returned");
    for (sign, cells) in lines {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(format!("\n{sign} {}", cells.join("  ")).trim_end());
    }
    if hidden > 0 {
        text.push_str(&format!("\n+ {} more", count(hidden, "row")));
    }
    text
}
