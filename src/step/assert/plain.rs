//! The quick way to find that an assertion holds: the rows come as texts, and are the ones expected.
//!
//! Equal texts of one type are equal values. The other way round that is not so (`1.0` and `1.00`), so
//! rows that differ here are judged by the long way, and only types whose values people write as the
//! server does go the quick way.

use std::collections::HashMap;
use std::sync::Arc;

use super::expected::{Expected, Match};
use super::{Assert, cell};
use crate::plan::description::{Description, Type};
use crate::plan::{Answer, Judgement, Quick, Statement};
use crate::project::diagnostic::count;
use crate::project::matcher;
use crate::project::source::{Place, Source};
use crate::project::yaml::Node;
use crate::step::Outcome;

impl Assert {
    /// The quick way, if there is one: not for types with many spellings, and not when more rows may come
    /// back than are listed, all of which would have to be sent.
    pub(super) fn quick(&self, description: &Description, source: &Arc<Source>) -> Option<Quick> {
        let texts = self.texts(description, source)?;
        let (mut statement, mut problems) = (Statement::default(), Vec::new());
        self.bind_parameters(&mut statement, description, source, &mut problems);
        if !problems.is_empty() {
            return None; // The long way tells them.
        }
        let columns = 1..=description.columns.len();
        let values: Vec<String> = columns.clone().map(|at| format!("q.c{at}::text")).collect();
        let names: Vec<String> = columns.map(|at| format!("c{at}")).collect();
        let behind = format!(") as q({}) limit {}", names.join(", "), texts.rows.len() + 1);
        self.embed(&mut statement, source, &format!("select {} from (\n", values.join(", ")), &behind);
        Some(Quick { statement, judge: Box::new(move |answer| texts.held(answer)) })
    }

    /// How the rows that come relate to those that are listed, where those are all that has to be looked at:
    /// no matcher and no order, and no more columns or rows than are listed.
    pub(super) fn simply(&self) -> Option<Match> {
        match &self.expected {
            Expected::Count(_) => None,
            Expected::Value(node) => (!matcher::is_in(node)).then_some(Match::Exact),
            Expected::Rows(rows) => {
                let cells = || rows.rows.iter().flat_map(|row| &row.cells);
                let is_simple = !rows.is_ordered && !rows.is_partial && rows.matching != Match::Contains;
                (is_simple && !cells().any(|cell| matcher::is_in(&cell.value))).then_some(rows.matching)
            }
        }
    }

    /// What is expected as texts, if texts are enough to compare.
    pub(super) fn texts(&self, description: &Description, source: &Arc<Source>) -> Option<Texts> {
        let matching = self.simply()?;
        let compared = self.compared(description, source).ok()?;
        let types = || compared.columns.iter().map(|column| &column.sql_type);
        if compared.columns.is_empty() || !types().all(is_plain) {
            return None;
        }
        let is_text = types().all(|it| matches!(it.sql.as_str(), "text" | "varchar"));
        let text = |(node, sql_type): (&Option<&Node>, _)| {
            let node = (*node)?;
            cell::text(node, sql_type, "", &Place::new(source, node.span)).ok()
        };
        let rows = compared.rows.iter().map(|row| row.iter().zip(types()).map(text).collect());
        Some(Texts { rows: rows.collect::<Option<_>>()?, matching, is_text })
    }
}

/// The rows that are expected, as texts.
pub(super) struct Texts {
    rows: Answer,
    matching: Match,
    /// Whether every column holds texts, so that any text is one of its values.
    is_text: bool,
}

impl Texts {
    /// That it holds, if it certainly does.
    pub(super) fn held(&self, found: &Answer) -> Option<Judgement> {
        held(found, &self.rows, self.matching, self.is_text)
    }
}

fn held(found: &Answer, expected: &Answer, matching: Match, is_text: bool) -> Option<Judgement> {
    let mut left: HashMap<&Vec<Option<String>>, usize> = HashMap::new();
    for row in expected {
        *left.entry(row).or_default() += 1;
    }
    for row in found {
        let copies = left.get_mut(row)?;
        *copies = copies.checked_sub(1)?;
    }
    // What did not come back has not been read by anybody yet.
    let holds = found.len() == expected.len() || matching == Match::Contained && is_text;
    let detail = Some(count(found.len(), "row"));
    holds.then_some(Judgement { detail, ..Judgement::of(Outcome::Held) })
}

/// Whether there is hardly more than one way to write a value of this type.
fn is_plain(sql_type: &Type) -> bool {
    matches!(sql_type.sql.as_str(), "text" | "varchar" | "int2" | "int4" | "int8" | "bool" | "uuid" | "date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_by_their_number_and_in_any_order() {
        let rows = |texts: &str| -> Answer {
            let cell = |text: &str| (text != "-").then(|| text.to_owned());
            texts.split_whitespace().map(|text| vec![cell(text)]).collect()
        };
        let holds = |found, expected, matching| held(&rows(found), &rows(expected), matching, true).is_some();
        assert!(holds("a b - b", "b b a -", Match::Exact));
        assert!(holds("", "", Match::Exact));
        for (found, expected) in [("a", "a a"), ("a a", "a"), ("-", "a"), ("a", ""), ("a b", "a a")] {
            assert!(!holds(found, expected, Match::Exact), "{found} / {expected}");
        }
        assert!(holds("a", "a b", Match::Contained));
        assert!(!holds("a a", "a b", Match::Contained));
        // Nobody has read what `b` would be as a number.
        assert!(held(&rows("1"), &rows("1 b"), Match::Contained, false).is_none());
        assert!(held(&rows("1 2"), &rows("1 2"), Match::Contained, false).is_some());
    }
}
