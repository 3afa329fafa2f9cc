//! The quickest way to find that an assertion holds: the query is run at once, and its rows come with the
//! names and types of their columns.
//!
//! What is certain is what is certain the quick way, by the same rules. Only the parameters are bound
//! before anybody knows what they are used as, so each must be the same text whatever that is.

use std::sync::Arc;

use super::Assert;
use super::expected::Expected;
use crate::plan::{Found, Guess, Judgement, Statement, number};
use crate::project::diagnostic::count;
use crate::project::source::{Place, Source};
use crate::project::value::json_text;
use crate::project::yaml::{Content, Node};
use crate::step::Outcome;

/// What an assertion asks first, if anything: not where more rows may come back than are listed, all of
/// which would have to be sent.
pub(super) fn guess(assert: &Arc<Assert>, source: &Arc<Source>) -> Option<Guess> {
    let (before, behind) = match &assert.expected {
        Expected::Count(_) => ("select count(*)::text from (\n", ") as q".to_owned()),
        _ if assert.simply().is_none() => return None,
        Expected::Rows(rows) => ("select * from (\n", format!(") as q limit {}", rows.rows.len() + 1)),
        Expected::Value(_) => ("select * from (\n", ") as q limit 2".to_owned()),
    };
    let mut statement = Statement::default();
    for entry in &assert.with {
        let text = same_for_any_type(&entry.value)?;
        statement.bind(text, Some(Place::new(source, entry.value.span)), format!(":{}", entry.key));
    }
    assert.embed(&mut statement, source, before, &behind);
    let (assert, source) = (assert.clone(), source.clone());
    Some(Guess { statement, judge: Box::new(move |found| held(&assert, found, &source)) })
}

/// That it holds, if it certainly does.
fn held(assert: &Assert, found: &Found, source: &Arc<Source>) -> Option<Judgement> {
    let rows = found.rows.as_ref()?;
    let held = |rows| Judgement { detail: Some(count(rows, "row")), ..Judgement::of(Outcome::Held) };
    match (&assert.expected, &found.description) {
        (Expected::Count(expected), _) => {
            let found = number(rows.first()?, 0);
            expected.holds(found as u64).then(|| held(found))
        }
        // Nothing is expected and nothing came, whatever its columns are.
        (Expected::Rows(expected), None) => (expected.rows.is_empty() && rows.is_empty()).then(|| held(0)),
        (_, description) => assert.texts(description.as_ref()?, source)?.held(rows),
    }
}

/// The text that a parameter is bound as, if its type has no say in that: JSON is the only one that reads
/// another text out of the same YAML.
fn same_for_any_type(node: &Node) -> Option<Option<String>> {
    match &node.content {
        Content::Null => Some(None),
        Content::Scalar(text, _) if !may_be_json(text) || json_text(node) == *text => {
            Some(Some(text.clone()))
        }
        _ => None,
    }
}

/// Whether a server could read a text as JSON. It refuses all others, and a guess with it.
fn may_be_json(text: &str) -> bool {
    let text = text.trim();
    let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.starts_with(['{', '[', '"'])
        || matches!(text, "true" | "false" | "null")
        || !text.is_empty() && text.chars().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::catalog::Catalog;
    use crate::plan::description::{Column, Description, Kind, Type};
    use crate::plan::{Answer, Shape};
    use crate::project::scenario::Scenario;
    use crate::project::{Project, yaml};

    #[test]
    fn a_parameter_is_bound_early_when_json_would_be_the_same_text_or_none() {
        let parsed = |yaml: &str| {
            let list = yaml::parse(&Source::new("a.yaml", format!("[{yaml}]"))).unwrap();
            let Content::List(mut items) = list.content else { panic!("{yaml}") };
            items.remove(0)
        };
        let text = |yaml: &str| same_for_any_type(&parsed(yaml));
        for same in
            ["Human Resources", "1", "1.50", "-3e2", "true", "a", "10 Downing Street", "''", "it's", "0x1F"]
        {
            let Content::Scalar(raw, _) = parsed(same).content else { panic!("{same}") };
            assert_eq!(text(same), Some(Some(raw)), "{same}");
        }
        assert_eq!(text("null"), Some(None));
        for differs in [
            "'1'",
            "' 1 '",
            "'1.50'",
            "'-3e2'",
            "'1e999'",
            "'true'",
            "'null'",
            "' false'",
            "'\"x\"'",
            "'[1]'",
            "'{}'",
            "'[broken'",
            "[1]",
            "{a: 1}",
            "{$json: '1'}",
            "+1",
            ".5",
        ] {
            assert_eq!(text(differs), None, "{differs}");
        }
    }

    /// Whether an assertion with this expectation holds for certain when these rows come back, whose
    /// columns are `name type`.
    fn is_certain(expected: &str, columns: &str, rows: &[&str]) -> bool {
        let text = format!("scenario: S\nsteps:\n  - assert: it\n    query: select\n    {expected}\n");
        let mut problems = Vec::new();
        let scenario = Scenario::parse(Source::new("a.yaml", &text), &mut problems).unwrap();
        assert!(problems.is_empty(), "{expected}");
        let step = &scenario.steps[0];
        let batch = step.action.compile(step, &Project::default(), &Catalog::default()).unwrap();
        let Shape::Described { guess: Some(guess), .. } = batch.shape else { panic!("{expected}") };
        let column = |column: &str| {
            let (name, sql) = column.split_once(' ').unwrap();
            let kind = if sql == "jsonb" { Kind::Json } else { Kind::Plain };
            Column { name: name.to_owned(), sql_type: Type { sql: sql.to_owned(), kind }, origin: None }
        };
        let cell = |text: &str| (text != "-").then(|| text.to_owned());
        let rows: Answer = rows.iter().map(|row| row.split(' ').map(cell).collect()).collect();
        let columns = columns.split(", ").map(column).collect();
        let description = Description { columns, ..Description::default() };
        let description = (!rows.is_empty()).then_some(description);
        (guess.judge)(&Found { description, rows: Some(rows) }).is_some()
    }

    #[test]
    fn only_equal_texts_of_plain_types_under_the_names_expected_are_certain() {
        let certain: &[(&str, &str, &[&str])] = &[
            ("row: {a: x}", "a text", &["x"]),
            ("row: {b: 1, a: x}", "a text, b int4", &["x 1"]),
            ("rows: [{a: x}, {a: x}, {a: y}]", "a varchar", &["x", "y", "x"]),
            ("row: {a: null}", "a text", &["-"]),
            ("value: true", "any bool", &["true"]),
            ("value: 2024-02-29", "a date", &["2024-02-29"]),
            ("rows: []", "a text", &[]),
            ("rows: [{a: x}, {a: y}]\n    match: contained", "a text", &["y"]),
            ("rows: [{a: 1}, {a: 2}]\n    match: contained", "a int4", &["2", "1"]),
            ("count: 2", "count text", &["2"]),
        ];
        for (expected, columns, rows) in certain {
            assert!(is_certain(expected, columns, rows), "{expected} / {columns} / {rows:?}");
        }
        let uncertain: &[(&str, &str, &[&str])] = &[
            ("row: {a: x}", "a text", &["y"]),
            ("row: {a: x}", "b text", &["x"]),
            ("row: {a: x}", "a text, b text", &["x x"]),
            ("row: {a: x}", "a text, a text", &["x x"]),
            ("row: {a: x, b: x}", "a text", &["x"]),
            ("row: {a: x}", "a text", &["x", "x"]),
            ("row: {a: x}", "a text", &["-"]),
            ("row: {a: null}", "a text", &["null"]),
            ("row: {a: x}", "a text", &[]),
            ("value: x", "a text, b text", &["x x"]),
            ("value: x", "a text", &[]),
            ("value: 01", "a int4", &["1"]),
            ("value: yes", "a bool", &["true"]),
            // Types with many spellings, or in which equal texts are no matter of course.
            ("value: x", "a jsonb", &["x"]),
            ("value: null", "a jsonb", &["-"]),
            ("value: 1.5", "a numeric", &["1.5"]),
            ("value: 1", "a float8", &["1"]),
            ("value: x", "a bpchar", &["x"]),
            ("value: x", "a public.citext", &["x"]),
            ("value: x", "a text[]", &["x"]),
            ("value: [x]", "a text", &["x"]),
            ("value: {x: 1}", "a text", &["x"]),
            // Nobody has read what is expected and did not come.
            ("rows: [{a: 1}, {a: 2}]\n    match: contained", "a int4", &["2"]),
            ("rows: [{a: x}, {a: y}]\n    match: contained", "a text", &[]),
            ("rows: [{a: x}]\n    match: contained", "a text", &["y"]),
            ("rows: []", "a text", &["x"]),
            ("count: 2", "count text", &["3"]),
        ];
        for (expected, columns, rows) in uncertain {
            assert!(!is_certain(expected, columns, rows), "{expected} / {columns} / {rows:?}");
        }
    }
}
