//! Judges what the server found out about the rows of a query.

use super::faithful::Leaf;
use super::table::{Cells, cut, table};
use super::{Match, ROWS_MORE};
use crate::plan::{Answer, Judgement, number, text};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::source::Place;
use crate::step::Outcome;

/// What the rows of a query are compared with.
pub struct Expectation {
    /// The query's columns.
    pub names: Vec<String>,
    /// How many rows are listed.
    pub rows: usize,
    /// How they relate to those that come back.
    pub matching: Match,
    /// What a single one is called.
    pub noun: &'static str,
    /// Where they are listed.
    pub place: Place,
    /// The texts in them that may not be read as they are written, in the order of the answer.
    pub leaves: Vec<Leaf>,
}

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

/// Judges by the rows that have no equal on the other side, once it is clear that what is expected was
/// read as it is written.
pub fn judge_rows(answer: &Answer, expectation: &Expectation) -> Result<Judgement, Vec<Diagnostic>> {
    let of = |what: &'static str| answer.iter().filter(move |row| text(row, 0) == what);
    let unfaithful: Vec<Diagnostic> = of("read").filter_map(|row| unfaithful(row, expectation)).collect();
    if !unfaithful.is_empty() {
        return Err(unfaithful);
    }
    let rows = |what| {
        let mut rows: Vec<(usize, Cells)> = of(what).map(|row| (number(row, 1), &row[3..])).collect();
        rows.sort_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, cells)| cells).collect::<Vec<Cells>>()
    };
    let (mut missing, extra) = (rows("missing"), rows("extra"));
    let (found, extra_count) = of("found").next().map_or((0, 0), |row| (number(row, 1), number(row, 2)));
    if missing.is_empty() && extra_count == 0 {
        return Ok(Judgement { outcome: Outcome::Held, detail: Some(count(found, "row")), problem: None });
    }
    let message = words(expectation, missing.len(), found, extra_count);
    let hidden = missing.len().saturating_sub(ROWS_MORE);
    missing.truncate(ROWS_MORE);
    let table = table(&expectation.names, (&missing, hidden), (&extra, extra_count - extra.len()));
    let problem = Diagnostic::failed(message).at_place(expectation.place.clone()).note(table);
    Ok(Judgement { outcome: Outcome::Differs, detail: None, problem: Some(problem) })
}

/// A text that its type reads as something else, if the answer's row says so.
fn unfaithful(row: &[Option<String>], expectation: &Expectation) -> Option<Diagnostic> {
    let leaf = expectation.leaves.get(number(row, 1).checked_sub(1)?)?;
    let read = text(row, 3);
    if leaf.is_faithful(read, text(row, 2) == "true") {
        return None;
    }
    let (written, read, type_name) = (cut(&leaf.text, 0), cut(read, 0), &leaf.type_name);
    Some(
        Diagnostic::error(format!("`{written}` is not exactly representable as {type_name}"))
            .at_place(leaf.place.clone())
            .label(format!("it would be read as {read}"))
            .help("write what the column can hold, or cast the column in the query"),
    )
}

fn words(expectation: &Expectation, missing: usize, found: usize, extra: usize) -> String {
    let expected = expectation.rows;
    match expectation.matching {
        Match::Contains => format!("{missing} of {} did not come back", count(expected, "expected row")),
        Match::Contained => {
            let verb = if extra == 1 { "is" } else { "are" };
            format!("the query returns {} that {verb} not listed", count(extra, "row"))
        }
        Match::Exact if found == expected && expected == 1 => format!("the {} differs", expectation.noun),
        Match::Exact if found == expected => format!("{missing} of {} differ", count(expected, "row")),
        Match::Exact => {
            let verb = if expected == 1 { "is" } else { "are" };
            format!("the query returns {}, and {expected} {verb} expected", count(found, "row"))
        }
    }
}
