//! What differs between the rows that are listed and those that came back, in the order it is shown.

use std::collections::{HashMap, HashSet};

use super::expected::Match;
use super::judge::Comparison;
use super::pairing::Test;

/// The most rows on each side of which it is found out which are most alike.
const ALIKE_MAX: usize = 200;

/// One line or two of what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A listed row came back: this one.
    None(usize, usize),
    /// A listed row came back with other values in these columns.
    Changed(usize, usize, Vec<usize>),
    /// A listed row did not come back.
    Missing(usize),
    /// A row came back that is not listed.
    Extra(usize),
}

/// What differs, and what does not. Rows that have no equal on the other side are taken for the same when
/// they have the same key; where no key is known, when they are alike in at least half of what is compared.
pub fn differences(comparison: &Comparison, matching: Match, is_ordered: bool) -> Vec<Difference> {
    let mut listed_of: HashMap<usize, usize> = HashMap::new();
    for (row, seen) in comparison.pairs.iter().enumerate() {
        listed_of.extend(seen.map(|seen| (seen, row)));
    }
    let missing: Vec<usize> =
        (0..comparison.listed.len()).filter(|row| comparison.pairs[*row].is_none()).collect();
    let extra: Vec<usize> = (0..comparison.seen.len()).filter(|seen| !listed_of.contains_key(seen)).collect();
    let is_only = comparison.listed.len() == 1 && comparison.seen.len() == 1;
    let alike = match comparison.key.is_empty() || is_ordered || is_only {
        true => most_alike(comparison, &missing, &extra, is_ordered),
        false => by_key(comparison, &missing, &extra),
    };
    let changed: HashMap<usize, usize> = alike.iter().map(|(row, seen)| (*seen, *row)).collect();
    let found: HashSet<usize> = changed.values().copied().collect();
    let missing: Vec<usize> = match matching {
        Match::Contained => Vec::new(),
        _ => missing.into_iter().filter(|row| !found.contains(row)).collect(),
    };
    let mut lines = Vec::new();
    let mut left = missing.into_iter().peekable();
    for seen in 0..comparison.seen.len() {
        let row = listed_of.get(&seen).or_else(|| changed.get(&seen)).copied();
        // In order, a row that is missing is shown before the one that should follow it.
        while let Some(missing) = left.next_if(|missing| is_ordered && row.is_some_and(|row| *missing < row))
        {
            lines.push(Difference::Missing(missing));
        }
        match (listed_of.get(&seen), changed.get(&seen)) {
            (Some(row), _) => lines.push(Difference::None(*row, seen)),
            (None, Some(row)) => {
                let columns = different(comparison, *row, seen);
                lines.push(Difference::Changed(*row, seen, columns));
            }
            (None, None) if matching != Match::Contains => lines.push(Difference::Extra(seen)),
            (None, None) => {}
        }
    }
    lines.extend(left.map(Difference::Missing));
    lines
}

/// The columns in which a row that came is not what a listed one says.
pub fn different(comparison: &Comparison, row: usize, seen: usize) -> Vec<usize> {
    let tests = comparison.listed[row].tests.iter().enumerate();
    tests.filter(|(at, test)| !comparison.seen[seen].passes(*at, **test)).map(|(at, _)| at).collect()
}

fn by_key(comparison: &Comparison, missing: &[usize], extra: &[usize]) -> Vec<(usize, usize)> {
    let mut known: HashMap<Vec<Option<i64>>, usize> = HashMap::new();
    for seen in extra.iter().rev() {
        let key = comparison.key.iter().map(|column| comparison.seen[*seen].same[*column]).collect();
        known.insert(key, *seen);
    }
    let find = |row: &usize| {
        let value = |column: &usize| match comparison.listed[*row].tests[*column] {
            Test::Same(same) => same,
            _ => None,
        };
        let key: Vec<Option<i64>> = comparison.key.iter().map(value).collect();
        known.remove(&key).map(|seen| (*row, seen))
    };
    missing.iter().filter_map(find).collect()
}

fn most_alike(
    comparison: &Comparison,
    missing: &[usize],
    extra: &[usize],
    is_ordered: bool,
) -> Vec<(usize, usize)> {
    let (missing, extra) = (&missing[..missing.len().min(ALIKE_MAX)], &extra[..extra.len().min(ALIKE_MAX)]);
    let is_only = comparison.listed.len() == 1 && comparison.seen.len() == 1;
    let mut ways: Vec<(usize, usize, usize)> = Vec::new();
    for row in missing {
        let compared = comparison.listed[*row].tests.iter().filter(|test| **test != Test::Any).count();
        // In order, what stands between two rows that came stays between them.
        let pairs = comparison.pairs.iter().enumerate().filter(|_| is_ordered);
        let (before, behind): (Vec<_>, Vec<_>) =
            pairs.filter_map(|(other, seen)| Some((other, (*seen)?))).partition(|(other, _)| other < row);
        let from = before.last().map_or(0, |(_, seen)| seen + 1);
        let to = behind.first().map_or(usize::MAX, |(_, seen)| *seen);
        for seen in extra.iter().filter(|seen| (from..to).contains(*seen)) {
            let alike = compared - different(comparison, *row, *seen).len();
            if is_only || alike > 0 && 2 * alike >= compared {
                ways.push((alike, *row, *seen));
            }
        }
    }
    ways.sort_by_key(|(alike, row, seen)| (std::cmp::Reverse(*alike), *row, *seen));
    let (mut rows, mut others) = (Vec::new(), Vec::new());
    for (_, row, seen) in ways {
        if !rows.contains(&row) && !others.contains(&seen) {
            rows.push(row);
            others.push(seen);
        }
    }
    rows.into_iter().zip(others).collect()
}
