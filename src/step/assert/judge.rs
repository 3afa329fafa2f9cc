//! Judges what the server found out about the rows of a query.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Compared;
use super::difference::{Difference, differences};
use super::expected::{Expected, Match};
use super::faithful::Leaf;
use super::pairing::{Listed, Seen, Test, pair};
use super::revision::{Revision, revision};
use super::rows::{LEADING, SEEN_MAX, Wanted};
use super::table::Table;
use super::why::why;
use super::{Assert, order, update};
use crate::plan::capture::Held;
use crate::plan::description::Type;
use crate::plan::{Answer, Judgement, Rewrite, Rewritten, number, text};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::grid::cut;
use crate::project::quantity::Quantity;
use crate::project::source::{Place, Source};
use crate::project::values::Captured;
use crate::project::yaml::Node;
use crate::step::Outcome;

/// What the rows of a query are compared with.
pub struct Expectation {
    assert: Arc<Assert>,
    source: Arc<Source>,
    /// The query's columns, and the types they are compared as.
    pub names: Vec<String>,
    pub types: Vec<Type>,
    /// The columns of the author's key.
    key: Vec<usize>,
    /// What each cell has to hold; the numbers for it come with the answer.
    listed: Vec<Listed>,
    /// The texts that may not be read as they are written, in the order of the answer.
    leaves: Vec<Leaf>,
}

impl Expectation {
    /// What is compared with the rows of a query.
    pub fn new(
        assert: &Arc<Assert>,
        compared: &Compared,
        wanted: &[Vec<Wanted>],
        leaves: Vec<Leaf>,
        source: &Arc<Source>,
    ) -> Expectation {
        let test = |wanted: &Wanted| match wanted {
            Wanted::Any => Test::Any,
            Wanted::Same(_) => Test::Same(None),
            Wanted::Inside(_) => Test::Inside(0, u32::MAX),
            Wanted::Holds(number) => Test::Holds(*number),
        };
        Expectation {
            assert: assert.clone(),
            source: source.clone(),
            names: compared.columns.iter().map(|column| column.name.clone()).collect(),
            types: compared.types.clone(),
            key: compared.key.clone(),
            listed: wanted.iter().map(|row| Listed { tests: row.iter().map(test).collect() }).collect(),
            leaves,
        }
    }

    /// What the author wrote for a cell.
    pub fn node(&self, row: usize, column: usize) -> Option<&Node> {
        match &self.assert.expected {
            Expected::Value(node) => Some(node),
            Expected::Count(_) => None,
            Expected::Rows(rows) => {
                let cells = &rows.rows.get(row)?.cells;
                cells.iter().find(|cell| cell.key == self.names[column]).map(|cell| &cell.value)
            }
        }
    }

    /// How the rows that come relate to those that are listed.
    pub fn matching(&self) -> Match {
        match &self.assert.expected {
            Expected::Rows(rows) => rows.matching,
            _ => Match::Exact,
        }
    }

    /// Whether they come in the order they are listed.
    pub fn is_ordered(&self) -> bool {
        matches!(&self.assert.expected, Expected::Rows(rows) if rows.is_ordered)
    }

    /// Whether it is a single value.
    pub fn is_value(&self) -> bool {
        matches!(self.assert.expected, Expected::Value(_))
    }

    /// Whether it is a single row.
    pub fn is_one(&self) -> bool {
        matches!(&self.assert.expected, Expected::Rows(rows) if rows.is_one)
    }

    /// The columns of the author's key.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// What a single row is called.
    fn noun(&self) -> &'static str {
        if matches!(self.assert.expected, Expected::Value(_)) { "value" } else { "row" }
    }

    fn place(&self) -> Place {
        Place::new(&self.source, self.assert.expected_span)
    }

    /// Where a listed row stands.
    fn place_of(&self, row: usize) -> Place {
        match &self.assert.expected {
            Expected::Rows(rows) if row < rows.rows.len() => Place::new(&self.source, rows.rows[row].span),
            _ => self.place(),
        }
    }
}

/// What an answer says of a query's rows.
pub struct Comparison<'a> {
    /// The rows that are listed.
    pub listed: Vec<Listed>,
    /// How the server writes their values, where they are values.
    pub written: HashMap<usize, &'a [Option<String>]>,
    /// The rows that came back, as far as they were taken.
    pub seen: Vec<Seen>,
    /// Their values; nothing where they are not kept.
    pub texts: Vec<Option<&'a [Option<String>]>>,
    /// How many came back in all.
    pub found: usize,
    /// The columns that tell rows apart, if any are known to.
    pub key: Vec<usize>,
    /// For each listed row the one it is.
    pub pairs: Vec<Option<usize>>,
}

/// Compares the number of rows.
pub fn judge_count(answer: &Answer, wanted: &Quantity, place: &Place, is_written: bool) -> Judgement {
    let found = answer.first().map_or(0, |row| number(row, 0));
    if wanted.holds(found as u64) {
        return Judgement { detail: Some(count(found, "row")), ..Judgement::of(Outcome::Held) };
    }
    let problem = Diagnostic::failed(format!("the query returns {}, not {wanted}", count(found, "row")))
        .at_place(place.clone());
    let place = place.clone();
    let rewrite = Rewrite::new(move || {
        if !is_written {
            return Err("the query returns no columns".to_owned());
        }
        let edits = update::edits(&place.source, place.span, &Revision::Count(found))?;
        Ok(Rewritten { edits, outcome: Outcome::Held, detail: Some(count(found, "row")), captured: None })
    });
    let (problem, rewrite) = (Some(problem), Some(rewrite));
    Judgement { problem, rewrite, ..Judgement::of(Outcome::Differs) }
}

/// Judges which of the rows that came back are those that are listed, once it is clear that what is expected
/// was read as it is written.
pub fn judge_rows(answer: &Answer, expectation: &Expectation) -> Result<Judgement, Vec<Diagnostic>> {
    let read = answer.iter().filter(|row| text(row, 0) == "read");
    let mut unfaithful: Vec<Diagnostic> = read.filter_map(|row| unfaithful(row, expectation)).collect();
    unfaithful.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
    if !unfaithful.is_empty() {
        return Err(unfaithful);
    }
    let mut comparison = read_answer(answer, expectation);
    if expectation.matching() == Match::Contains && comparison.seen.len() > SEEN_MAX {
        return Err(vec![too_many(expectation, &format!("more than {SEEN_MAX} rows may be those listed"))]);
    }
    if let Some(problem) = doubled(&comparison, expectation) {
        return Err(vec![problem]);
    }
    comparison.pairs = match expectation.is_ordered() {
        true => order::align(&comparison.listed, &comparison.seen, expectation.matching()),
        false => pair(&comparison.listed, &comparison.seen).map_err(|_| {
            let pairs = comparison.listed.len().saturating_mul(comparison.seen.len());
            vec![too_many(expectation, &format!("there are {pairs} ways to pair these rows"))]
        })?,
    };
    let paired = comparison.pairs.iter().flatten().count();
    let (missing, extra) = (comparison.listed.len() - paired, comparison.found - paired);
    let holds = match expectation.matching() {
        Match::Exact => missing == 0 && extra == 0,
        Match::Contains => missing == 0,
        Match::Contained => extra == 0,
    };
    let detail = Some(count(comparison.found, "row"));
    if holds {
        let fitting = |listed: &Listed| comparison.seen.iter().filter(|seen| seen.fits(listed)).count();
        let captured = match (comparison.pairs.as_slice(), comparison.listed.as_slice()) {
            // Of several that are so none is the one.
            ([Some(seen)], [listed]) if fitting(listed) == 1 => row(&comparison, expectation, *seen),
            _ => None,
        };
        return Ok(Judgement { detail, captured, ..Judgement::of(Outcome::Held) });
    }
    let differences = differences(&comparison, expectation.matching(), expectation.is_ordered());
    let rewrite = Some(rewrite(&comparison, expectation, &differences, detail));
    let problem = Some(told(&comparison, expectation, &differences, missing, extra));
    Ok(Judgement { problem, rewrite, ..Judgement::of(Outcome::Differs) })
}

/// How the expectation can be written anew.
fn rewrite(
    comparison: &Comparison,
    expectation: &Expectation,
    differences: &[Difference],
    detail: Option<String>,
) -> Rewrite {
    let changed = differences.iter().find_map(|it| match it {
        Difference::Changed(_, seen, _) => Some(*seen),
        _ => None,
    });
    let is_one = expectation.is_one() || expectation.is_value();
    let seen = changed.or((comparison.found == 1).then_some(0)).filter(|_| is_one);
    let captured = seen.and_then(|seen| row(comparison, expectation, seen));
    let revision = revision(comparison, expectation, differences);
    let place = expectation.place();
    Rewrite::new(move || {
        let edits = update::edits(&place.source, place.span, revision.as_ref().map_err(String::clone)?)?;
        let (detail, captured) = (detail.clone(), captured.clone());
        Ok(Rewritten { edits, outcome: Outcome::Held, detail, captured })
    })
}

/// The values of a row that came back, for later steps.
fn row(comparison: &Comparison, expectation: &Expectation, seen: usize) -> Option<Captured> {
    let texts = *comparison.texts.get(seen)?.as_ref()?;
    let columns = expectation.names.iter().zip(&expectation.types).zip(texts);
    let captured = |((name, sql_type), text): ((&String, &Type), &Option<String>)| {
        (name.clone(), Held::of(&sql_type.sql).value(text.as_deref()))
    };
    Some(columns.map(captured).collect())
}

/// Takes an answer apart.
fn read_answer<'a>(answer: &'a Answer, expectation: &Expectation) -> Comparison<'a> {
    let columns = expectation.names.len();
    let has = |column: usize, is: fn(&Test) -> bool| {
        expectation.listed.iter().any(|row| row.tests.get(column).is_some_and(is))
    };
    let same: Vec<usize> = (0..columns).filter(|at| has(*at, |test| matches!(test, Test::Same(_)))).collect();
    let mut comparison = Comparison {
        listed: expectation.listed.clone(),
        written: HashMap::new(),
        seen: Vec::new(),
        texts: Vec::new(),
        found: 0,
        key: expectation.key.clone(),
        pairs: Vec::new(),
    };
    let mut keys: Vec<(bool, Vec<usize>)> = Vec::new();
    let mut by_number: HashMap<usize, usize> = HashMap::new();
    let mut rows: Vec<&Vec<Option<String>>> = answer.iter().filter(|row| text(row, 0) == "row").collect();
    rows.sort_by_key(|row| number(row, 1));
    for (at, row) in rows.into_iter().enumerate() {
        by_number.insert(number(row, 1), at);
        comparison.seen.push(Seen {
            same: vec![None; columns],
            ranks: vec![None; columns],
            holds: text(row, 2).bytes().map(|byte| byte == b'1').collect(),
        });
        comparison.texts.push((text(row, 3) == "true").then(|| &row[LEADING..]));
    }
    for row in answer {
        match text(row, 0) {
            "found" => comparison.found = number(row, 1),
            "same" if text(row, 1) == "true" => {
                let Some(listed) = comparison.listed.get_mut(number(row, 2).wrapping_sub(1)) else {
                    continue;
                };
                for (at, value) in same.iter().zip(text(row, 3).split(' ')) {
                    if let Test::Same(same) = &mut listed.tests[*at] {
                        *same = value.parse().ok();
                    }
                }
            }
            "same" => {
                let Some(at) = by_number.get(&number(row, 2)) else { continue };
                for (column, value) in same.iter().zip(text(row, 3).split(' ')) {
                    comparison.seen[*at].same[*column] = value.parse().ok();
                }
            }
            "listed" => {
                comparison.written.insert(number(row, 1).wrapping_sub(1), &row[LEADING..]);
            }
            "edge" if text(row, 3) == "f" => {
                let Some(at) = by_number.get(&number(row, 1)) else { continue };
                comparison.seen[*at].ranks[number(row, 2)] = text(row, 4).parse().ok();
            }
            "edge" => {
                let (listed, at) = (number(row, 1).wrapping_sub(1), number(row, 2));
                let test = comparison.listed.get_mut(listed).and_then(|row| row.tests.get_mut(at));
                if let Some(Test::Inside(low, high)) = test {
                    let edge = if text(row, 3) == "l" { low } else { high };
                    *edge = text(row, 4).parse().unwrap_or_default();
                }
            }
            "key" => {
                let columns = text(row, 2).split(' ').filter_map(|at| at.parse().ok()).collect();
                keys.push((text(row, 1) == "true", columns));
            }
            _ => {}
        }
    }
    if comparison.key.is_empty() {
        let is_given =
            |at: &usize| comparison.listed.iter().all(|row| matches!(row.tests[*at], Test::Same(_)));
        keys.retain(|(_, columns)| !columns.is_empty() && columns.iter().all(is_given));
        keys.sort_by_key(|(is_primary, columns)| (!is_primary, columns.clone()));
        comparison.key = keys.into_iter().next().map(|(_, columns)| columns).unwrap_or_default();
    }
    comparison
}

/// Two listed rows with the same key, where the author names the key.
fn doubled(comparison: &Comparison, expectation: &Expectation) -> Option<Diagnostic> {
    let mut known: HashMap<Vec<Test>, usize> = HashMap::new();
    for (at, row) in comparison.listed.iter().enumerate().filter(|_| !expectation.key.is_empty()) {
        let key = expectation.key.iter().map(|column| row.tests[*column]).collect();
        if let Some(first) = known.insert(key, at) {
            let first = expectation.place_of(first).span;
            return Some(
                Diagnostic::error("two rows have the same key")
                    .at_place(expectation.place_of(at))
                    .context(first, "first here")
                    .help("leave one out, or name more columns in `key`"),
            );
        }
    }
    None
}

fn too_many(expectation: &Expectation, words: &str) -> Diagnostic {
    Diagnostic::error(format!("{words}, which are too many to compare"))
        .at_place(expectation.place())
        .help("give values, not matchers, for the columns that tell rows apart, or let the query return less")
}

/// What differs, at the first place that does.
fn told(
    comparison: &Comparison,
    expectation: &Expectation,
    differences: &[Difference],
    missing: usize,
    extra: usize,
) -> Diagnostic {
    let problem = Diagnostic::failed(words(expectation, comparison.found, missing, extra));
    let changed = differences.iter().find_map(|it| match it {
        Difference::Changed(row, seen, columns) => Some((*row, *seen, columns.first().copied()?)),
        _ => None,
    });
    let absent = differences.iter().find_map(|it| match it {
        Difference::Missing(row) => Some(*row),
        _ => None,
    });
    let problem = match (changed, absent) {
        (Some((row, seen, column)), _) => {
            let node = expectation.node(row, column);
            let place =
                node.map_or(expectation.place_of(row), |node| Place::new(&expectation.source, node.span));
            let found = comparison.texts[seen].map(|texts| texts[column].as_deref());
            let expected = comparison.written.get(&row).and_then(|texts| texts[column].as_deref());
            let label =
                node.zip(found).map(|(node, found)| why(node, expected, found, &expectation.types[column]));
            let problem = problem.at_place(place);
            match label {
                Some(label) => problem.label(label),
                None => problem,
            }
        }
        (None, Some(row))
            if comparison.listed.len() > 1 || !matches!(expectation.assert.expected, Expected::Value(_)) =>
        {
            problem.at_place(expectation.place_of(row)).label("this row did not come back")
        }
        _ => problem.at_place(expectation.place()),
    };
    let unseen = comparison.found - comparison.seen.len();
    let unseen = if expectation.matching() == Match::Contains { 0 } else { unseen };
    problem.grid(Table { comparison, expectation, differences, unseen }.draw())
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

fn words(expectation: &Expectation, found: usize, missing: usize, extra: usize) -> String {
    let expected = expectation.listed.len();
    let out_of_order = if expectation.is_ordered() { ", or are not in this order" } else { "" };
    match expectation.matching() {
        Match::Contains => {
            format!("{missing} of {} did not come back{out_of_order}", count(expected, "expected row"))
        }
        Match::Contained => {
            let verb = if extra == 1 { "is" } else { "are" };
            format!("the query returns {} that {verb} not listed{out_of_order}", count(extra, "row"))
        }
        Match::Exact if found == expected && expected == 1 => format!("the {} differs", expectation.noun()),
        Match::Exact if found == expected => {
            format!("{missing} of {} differ{out_of_order}", count(expected, "row"))
        }
        Match::Exact => {
            let verb = if expected == 1 { "is" } else { "are" };
            format!("the query returns {}, and {expected} {verb} expected", count(found, "row"))
        }
    }
}
