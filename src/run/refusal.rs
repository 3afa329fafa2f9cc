//! The error that a step expects, and the one that came.

use crate::database::error::ServerError;
use crate::plan::Judgement;
use crate::plan::quote::table_parts;
use crate::project::diagnostic::{Diagnostic, printable};
use crate::project::source::{Name, Span};
use crate::project::sql::condition;
use crate::step::refusal::Refusal;
use crate::step::{Outcome, Step};

/// What is different about an error, each with the place of what was expected. Nothing, if it is the one.
pub fn differences(expected: &Refusal, server: &ServerError) -> Vec<(Span, String)> {
    let mut differences = Vec::new();
    if let Some((name, codes)) = &expected.condition
        && !codes.contains(&server.sqlstate)
    {
        let meant = match codes.as_slice() {
            [code] => named(code),
            _ => name.text.clone(),
        };
        differences.push((name.span, format!("it is {}, not {meant}", named(&server.sqlstate))));
    }
    let mut compare = |what: &str, expected: &Option<Name>, actual: &Option<String>, is_same: bool| {
        let Some(name) = expected.as_ref().filter(|_| !is_same) else { return };
        let actual = match actual {
            Some(actual) => format!("its {what} is `{}`, not `{}`", printable(actual), name.text),
            None => format!("it names no {what}, and `{}` is expected", name.text),
        };
        differences.push((name.span, actual));
    };
    let is_same = |expected: &Option<Name>, actual: &Option<String>| {
        expected.as_ref().is_none_or(|name| actual.as_ref() == Some(&name.text))
    };
    compare(
        "constraint",
        &expected.constraint,
        &server.constraint,
        is_same(&expected.constraint, &server.constraint),
    );
    compare("table", &expected.table, &server.table, is_same_table(&expected.table, server));
    compare("column", &expected.column, &server.column, is_same(&expected.column, &server.column));
    differences
}

fn is_same_table(expected: &Option<Name>, server: &ServerError) -> bool {
    let Some(name) = expected else { return true };
    table_parts(&name.text).is_some_and(|(schema, table)| {
        server.table.as_ref() == Some(&table) && schema.is_none_or(|schema| server.schema == Some(schema))
    })
}

/// A code with the condition's name.
fn named(code: &str) -> String {
    match condition::name(code) {
        Some(name) => format!("{code} ({name})"),
        None => code.to_owned(),
    }
}

/// The end of a step whose error came as expected.
pub fn judgement(server: &ServerError) -> Judgement {
    let name = condition::name(&server.sqlstate).unwrap_or(&server.sqlstate);
    let detail = match (&server.constraint, &server.column) {
        (Some(of), _) | (None, Some(of)) => format!("{name}, {of}"),
        (None, None) => name.to_owned(),
    };
    Judgement { detail: Some(detail), ..Judgement::of(Outcome::Refused) }
}

/// A step whose error is another one than it expects.
pub fn another(step: &Step, server: &ServerError, differences: Vec<(Span, String)>) -> Diagnostic {
    let span = differences.first().map_or(step.span, |(span, _)| *span);
    let message = format!("{} `{}`: another error came than is expected", step.kind.name, step.title.text);
    let mut problem = Diagnostic::failed(message).at(&step.source, span);
    for (_, difference) in differences {
        problem = problem.note(difference);
    }
    problem = problem.note(format!("the server says: {}", server.message));
    problem.notes.extend(server.detail.as_deref().map(printable));
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_that_are_named_are_compared() {
        let name = |text: &str| Some(Name { text: text.to_owned(), span: Span::default() });
        let server = ServerError {
            sqlstate: "23505".to_owned(),
            constraint: Some("a_key".to_owned()),
            schema: Some("app".to_owned()),
            table: Some("a".to_owned()),
            ..ServerError::default()
        };
        let check = |expected: Refusal, told: &[&str]| {
            let differences = differences(&expected, &server);
            assert_eq!(differences.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>(), told);
        };
        let of = |codes: &[&str]| {
            let codes = codes.iter().map(|code| (*code).to_owned()).collect();
            Refusal { condition: name("some_condition").map(|name| (name, codes)), ..Refusal::default() }
        };
        check(of(&["23505"]), &[]);
        check(of(&["22004", "23505"]), &[]);
        check(of(&["23514"]), &["it is 23505 (unique_violation), not 23514 (check_violation)"]);
        check(of(&["22004", "39004"]), &["it is 23505 (unique_violation), not some_condition"]);
        check(Refusal { constraint: name("a_key"), table: name("app.a"), ..Refusal::default() }, &[]);
        check(Refusal { table: name("a"), ..Refusal::default() }, &[]);
        check(Refusal { table: name("b.a"), ..Refusal::default() }, &["its table is `a`, not `b.a`"]);
        check(
            Refusal { constraint: name("b"), column: name("c"), ..Refusal::default() },
            &["its constraint is `a_key`, not `b`", "it names no column, and `c` is expected"],
        );
    }
}
