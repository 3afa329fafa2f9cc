//! Compares what a query returned with what was expected.

use super::{Match, ROWS_MORE};
use crate::plan::{Answer, Judgement, number, text};
use crate::project::diagnostic::{Diagnostic, count, list};
use crate::project::source::Place;
use crate::step::Outcome;

/// Compares the number of rows.
pub fn judge_count(answer: &Answer, expected: usize, place: &Place) -> Judgement {
    let found = answer.first().map_or(0, |row| number(row, 0));
    if found == expected {
        return Judgement { outcome: Outcome::Held, detail: Some(count(found, "row")), problem: None };
    }
    let problem = Diagnostic::failed(format!("the query returns {}, not {expected}", count(found, "row")))
        .at_place(place.clone());
    Judgement { outcome: Outcome::Differs, detail: None, problem: Some(problem) }
}

/// Pairs the rows that came back with those expected; the server has said which are equal.
///
/// `any_name` is for a value, whose column may be called anything.
pub fn judge_rows(
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
