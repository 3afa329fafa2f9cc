//! Rows that have to come in order.

use super::expected::Match;
use super::pairing::{Listed, Seen};

/// The most rows on each side of which it is found out which are the same, where they are not in order.
const ALIGNED_MAX: usize = 1_000;

/// For each listed row the one it is, in order, as far as they go together.
pub fn align(listed: &[Listed], seen: &[Seen], matching: Match) -> Vec<Option<usize>> {
    match matching {
        Match::Exact => exact(listed, seen),
        Match::Contains => within(listed.len(), seen.len(), |at, other| seen[other].fits(&listed[at])),
        Match::Contained => {
            let mut pairs = vec![None; listed.len()];
            let of_seen = within(seen.len(), listed.len(), |at, other| seen[at].fits(&listed[other]));
            for (at, other) in of_seen.into_iter().enumerate() {
                if let Some(other) = other {
                    pairs[other] = Some(at);
                }
            }
            pairs
        }
    }
}

/// Each of some rows takes the first of the others that fits, behind the one before it: if all can have one
/// in order, all get one so.
fn within(count: usize, others: usize, fits: impl Fn(usize, usize) -> bool) -> Vec<Option<usize>> {
    let mut next = 0;
    let find = |at: usize| {
        let found = (next..others).find(|other| fits(at, *other))?;
        next = found + 1;
        Some(found)
    };
    (0..count).map(find).collect()
}

/// The rows at the beginning and at the end that fit, and of those between as many as can be in order.
fn exact(listed: &[Listed], seen: &[Seen]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; listed.len()];
    let shorter = listed.len().min(seen.len());
    let begin = (0..shorter).take_while(|at| seen[*at].fits(&listed[*at])).count();
    let is_end = |back: &usize| seen[seen.len() - back].fits(&listed[listed.len() - back]);
    let end = (1..=shorter - begin).take_while(is_end).count();
    (0..begin).for_each(|at| pairs[at] = Some(at));
    (1..=end).for_each(|back| pairs[listed.len() - back] = Some(seen.len() - back));
    let (left, right) = (listed.len() - begin - end, seen.len() - begin - end);
    if left > ALIGNED_MAX || right > ALIGNED_MAX {
        return pairs;
    }
    let fits = |at: usize, other: usize| seen[begin + other].fits(&listed[begin + at]);
    // How many rows from each two places on can be paired.
    let mut most = vec![vec![0u16; right + 1]; left + 1];
    for at in (0..left).rev() {
        for other in (0..right).rev() {
            most[at][other] = match fits(at, other) {
                true => most[at + 1][other + 1] + 1,
                false => most[at + 1][other].max(most[at][other + 1]),
            };
        }
    }
    let (mut at, mut other) = (0, 0);
    while at < left && other < right {
        if fits(at, other) {
            pairs[begin + at] = Some(begin + other);
            (at, other) = (at + 1, other + 1);
        } else if most[at + 1][other] >= most[at][other + 1] {
            at += 1;
        } else {
            other += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::pairing::Test;
    use super::*;

    fn check(listed: &str, seen: &str, matching: Match, expected: &str) {
        let test = |c: char| if c == '*' { Test::Any } else { Test::Same(Some(i64::from(u32::from(c)))) };
        let listed: Vec<Listed> = listed.chars().map(|c| Listed { tests: vec![test(c)] }).collect();
        let row = |c: char| Seen { same: vec![Some(i64::from(u32::from(c)))], ..Seen::default() };
        let rows: Vec<Seen> = seen.chars().map(row).collect();
        let pairs: Vec<String> = align(&listed, &rows, matching)
            .iter()
            .map(|pair| pair.map_or("-".to_owned(), |at| at.to_string()))
            .collect();
        assert_eq!(pairs.join(" "), expected, "{seen}");
    }

    #[test]
    fn rows_keep_their_order() {
        check("abc", "abc", Match::Exact, "0 1 2");
        check("abc", "acb", Match::Exact, "0 - 1");
        check("abcd", "abxcd", Match::Exact, "0 1 3 4");
        check("a*c", "axc", Match::Exact, "0 1 2");
        check("ac", "abc", Match::Contains, "0 2");
        check("ca", "abc", Match::Contains, "2 -");
        check("abc", "ac", Match::Contained, "0 - 1");
        // A row that came once is one row.
        check("aa", "ab", Match::Contains, "0 -");
        check("ab", "aa", Match::Contained, "0 -");
        check("abc", "ca", Match::Contained, "- - 0");
        check("", "", Match::Exact, "");
    }
}
