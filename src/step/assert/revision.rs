//! Revision: what an expectation that does not hold would have to say.

use std::collections::{HashMap, HashSet};

use super::difference::{Difference, different};
use super::expected::{Match, ROWS_MAX};
use super::judge::{Comparison, Expectation};
use crate::plan::description::Type;

/// What is to be said instead.
#[derive(Debug)]
pub enum Revision {
    /// These rows.
    Rows {
        /// The columns of the query.
        names: Vec<String>,
        /// Their types.
        types: Vec<Type>,
        /// The rows, in the order they are to stand in.
        rows: Vec<Renewed>,
    },
    /// This value.
    Value {
        /// Its text; nothing is NULL.
        text: Option<String>,
        /// Its type.
        sql_type: Type,
    },
    /// This number of rows.
    Count(usize),
}

/// A row as it is to be listed.
#[derive(Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The listed row of this number, as it is.
    Kept(usize),
    /// The same, with other values in some columns.
    Changed(usize, Vec<(usize, Option<String>)>),
    /// Another one.
    New(Vec<Option<String>>),
}

/// Why an expectation stays as it is.
pub type Refused = String;

/// What rows, or a value, would have to be said to be.
pub fn revision(
    comparison: &Comparison,
    expectation: &Expectation,
    differences: &[Difference],
) -> Result<Revision, Refused> {
    let revising = Revising { comparison, expectation };
    if expectation.is_value() {
        let text = revising.only()?.first().cloned().flatten();
        return Ok(Revision::Value { text, sql_type: expectation.types[0].clone() });
    }
    let rows = match expectation.is_one() {
        true => vec![revising.one(differences)?],
        false => revising.many(differences)?,
    };
    if rows.len() > ROWS_MAX {
        return Err(format!("an expectation lists at most {ROWS_MAX} rows, and {} came back", rows.len()));
    }
    let (names, types) = (expectation.names.clone(), expectation.types.clone());
    Ok(Revision::Rows { names, types, rows })
}

struct Revising<'a> {
    comparison: &'a Comparison<'a>,
    expectation: &'a Expectation,
}

impl Revising<'_> {
    fn texts(&self, seen: usize) -> Result<&[Option<String>], Refused> {
        self.comparison.texts[seen].ok_or_else(|| "the result is larger than 16 MiB".to_owned())
    }

    /// The only row that came back.
    fn only(&self) -> Result<&[Option<String>], Refused> {
        match (self.comparison.found, self.comparison.seen.len()) {
            (1, 1) => self.texts(0),
            (found, _) => Err(format!("{found} rows came back where one is expected")),
        }
    }

    fn changed(&self, row: usize, seen: usize) -> Result<Renewed, Refused> {
        let texts = self.texts(seen)?;
        let columns = different(self.comparison, row, seen).into_iter();
        Ok(Renewed::Changed(row, columns.map(|at| (at, texts[at].clone())).collect()))
    }

    /// The one row that is expected.
    fn one(&self, differences: &[Difference]) -> Result<Renewed, Refused> {
        if self.expectation.matching() != Match::Contains {
            self.only()?;
            return self.changed(0, 0);
        }
        let alike = differences.iter().find_map(|it| match it {
            Difference::Changed(_, seen, _) => Some(*seen),
            _ => None,
        });
        match alike {
            Some(seen) => self.changed(0, seen),
            None => Err("no row came back that is like the one expected".to_owned()),
        }
    }

    fn many(&self, differences: &[Difference]) -> Result<Vec<Renewed>, Refused> {
        let (comparison, matching) = (self.comparison, self.expectation.matching());
        if matching != Match::Contains && comparison.found > comparison.seen.len() {
            let (seen, found) = (comparison.seen.len(), comparison.found);
            return Err(format!("only {seen} of the {found} rows that came back were taken"));
        }
        let rows = match (matching, self.expectation.is_ordered()) {
            (Match::Contained, is_ordered) => self.added(is_ordered)?,
            (_, true) => self.in_order(differences)?,
            (_, false) => self.in_any_order(differences)?,
        };
        if matching == Match::Contains && rows.is_empty() {
            return Err("none of its rows came back".to_owned());
        }
        self.check_key(&rows)?;
        Ok(rows)
    }

    /// All that is listed, and what else came: in order each behind the row that came before it, else at the
    /// end.
    fn added(&self, is_ordered: bool) -> Result<Vec<Renewed>, Refused> {
        let listed = self.comparison.listed.len();
        let of_seen: HashMap<usize, usize> = self.pairs().collect();
        // What stands before the first row, and behind each.
        let mut behind: Vec<Vec<Renewed>> = (0..=listed).map(|_| Vec::new()).collect();
        let mut last = if is_ordered { 0 } else { listed };
        for seen in 0..self.comparison.seen.len() {
            match of_seen.get(&seen) {
                Some(row) if is_ordered => last = row + 1,
                Some(_) => {}
                None => behind[last].push(Renewed::New(self.texts(seen)?.to_vec())),
            }
        }
        let mut rows = Vec::new();
        for (at, others) in behind.into_iter().enumerate() {
            rows.extend(at.checked_sub(1).map(Renewed::Kept));
            rows.extend(others);
        }
        Ok(rows)
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.comparison.pairs.iter().enumerate().filter_map(|(row, seen)| Some(((*seen)?, row)))
    }

    /// The rows in the order they came. One that would have to move is removed and written anew.
    fn in_order(&self, differences: &[Difference]) -> Result<Vec<Renewed>, Refused> {
        let kept: HashMap<usize, usize> = self.pairs().collect();
        let mut rows = Vec::new();
        let mut next = 0;
        let bound = |seen: usize| {
            let behind = (seen + 1..self.comparison.seen.len()).find_map(|seen| kept.get(&seen));
            behind.copied().unwrap_or(usize::MAX)
        };
        for difference in differences {
            match difference {
                Difference::None(row, _) => {
                    rows.push(Renewed::Kept(*row));
                    next = row + 1;
                }
                Difference::Changed(row, seen, _) if *row >= next && *row < bound(*seen) => {
                    rows.push(self.changed(*row, *seen)?);
                    next = row + 1;
                }
                Difference::Changed(_, seen, _) | Difference::Extra(seen) => {
                    rows.push(Renewed::New(self.texts(*seen)?.to_vec()));
                }
                Difference::Missing(_) => {}
            }
        }
        Ok(rows)
    }

    /// The rows as they are listed, and behind them those that came too.
    fn in_any_order(&self, differences: &[Difference]) -> Result<Vec<Renewed>, Refused> {
        let mut listed: Vec<Option<Renewed>> = self.comparison.listed.iter().map(|_| None).collect();
        let mut others = Vec::new();
        for difference in differences {
            match difference {
                Difference::None(row, _) => listed[*row] = Some(Renewed::Kept(*row)),
                Difference::Changed(row, seen, _) => listed[*row] = Some(self.changed(*row, *seen)?),
                Difference::Extra(seen) => others.push(Renewed::New(self.texts(*seen)?.to_vec())),
                Difference::Missing(_) => {}
            }
        }
        Ok(listed.into_iter().flatten().chain(others).collect())
    }

    /// Rows that have the same key cannot be listed under it.
    fn check_key(&self, rows: &[Renewed]) -> Result<(), Refused> {
        let key = self.expectation.key();
        if key.is_empty() || !rows.iter().any(|row| matches!(row, Renewed::New(_))) {
            return Ok(());
        }
        let mut known = HashSet::new();
        for texts in self.comparison.texts.iter().flatten() {
            if !known.insert(key.iter().map(|at| &texts[*at]).collect::<Vec<_>>()) {
                return Err("two rows came back that have the same key".to_owned());
            }
        }
        Ok(())
    }
}
