//! Rows as a person compares them: one a line, in columns, cut to what can be read.

use super::difference::Difference;
use super::judge::{Comparison, Expectation};
use super::why::written;
use crate::project::diagnostic::count;
use crate::project::grid::{CELL_MAX, Grid, Line, cut, shown};
use crate::project::matcher;

/// The most rows that are shown.
const ROWS_MORE: usize = 20;
/// What is shown of the text before the place where long cells begin to differ.
const BEFORE: usize = 16;

/// What is shown of a comparison.
pub struct Table<'a> {
    /// The rows of both sides.
    pub comparison: &'a Comparison<'a>,
    /// What was expected.
    pub expectation: &'a Expectation,
    /// What differs, and what does not.
    pub differences: &'a [Difference],
    /// How many rows came back that were not taken.
    pub unseen: usize,
}

impl Table<'_> {
    /// The rows that differ, as they are expected and as they came back, with a line below those that came
    /// with other values; and where all are few, the others between them.
    pub fn draw(&self) -> Grid {
        let is_different = |it: &&Difference| !matches!(it, Difference::None(..));
        let different = self.differences.iter().filter(is_different).count();
        let is_short = self.differences.len() <= ROWS_MORE;
        let shown: Vec<&Difference> =
            self.differences.iter().filter(|it| is_short || is_different(it)).take(ROWS_MORE).collect();
        let starts = self.starts(&shown);
        let mut lines: Vec<Line> =
            vec![(" ", self.expectation.names.iter().map(|name| cut(name, 0)).collect())];
        let mut marked = Vec::new();
        for difference in &shown {
            match difference {
                Difference::None(_, seen) => lines.push((" ", self.returned(*seen, &starts))),
                Difference::Missing(row) => lines.push(("-", self.expected(*row, &starts))),
                Difference::Extra(seen) => lines.push(("+", self.returned(*seen, &starts))),
                Difference::Changed(row, seen, columns) => {
                    lines.push(("-", self.expected(*row, &starts)));
                    lines.push(("+", self.returned(*seen, &starts)));
                    // Of a single column it is clear which one differs.
                    if self.expectation.names.len() > 1 {
                        marked.push((lines.len() - 1, columns.clone()));
                    }
                }
            }
        }
        let mut more = Vec::new();
        let hidden = different.saturating_sub(shown.iter().filter(|it| is_different(it)).count());
        if hidden > 0 {
            let verb = if hidden == 1 { "differs" } else { "differ" };
            more.push(format!("{hidden} more {} {verb}", if hidden == 1 { "row" } else { "rows" }));
        }
        if self.unseen > 0 {
            more.push(format!("{} more rows came back", self.unseen));
        }
        let equal = self.differences.len() - different;
        if !is_short && equal > 0 {
            let are = if equal == 1 { "is" } else { "are" };
            more.push(format!("{} {are} as expected, and not shown", count(equal, "row")));
        }
        Grid { legend: Some("- expected, + returned"), lines, marked, more }
    }

    fn expected(&self, row: usize, starts: &[usize]) -> Vec<String> {
        let cell = |(column, start): (usize, &usize)| match self.expectation.node(row, column) {
            None => "…".to_owned(),
            Some(node) if matcher::is_in(node) => cut(&matcher::words(node, &written), 0),
            Some(node) => match self.comparison.written.get(&row) {
                Some(texts) => shown(texts[column].as_deref(), *start),
                None => written(node),
            },
        };
        starts.iter().enumerate().map(cell).collect()
    }

    fn returned(&self, seen: usize, starts: &[usize]) -> Vec<String> {
        match self.comparison.texts[seen] {
            Some(texts) => {
                texts.iter().zip(starts).map(|(text, start)| shown(text.as_deref(), *start)).collect()
            }
            None => vec!["(not kept: the result is larger than 16 MiB)".to_owned()],
        }
    }

    /// For each column, the character to show its cells from.
    fn starts(&self, lines: &[&Difference]) -> Vec<usize> {
        let rows: Vec<&[Option<String>]> = lines
            .iter()
            .flat_map(|difference| {
                let (row, seen) = match difference {
                    Difference::None(_, seen) | Difference::Extra(seen) => (None, Some(*seen)),
                    Difference::Changed(row, seen, _) => (Some(*row), Some(*seen)),
                    Difference::Missing(row) => (Some(*row), None),
                };
                let written = row.and_then(|row| self.comparison.written.get(&row).copied());
                written.into_iter().chain(seen.and_then(|seen| self.comparison.texts[seen]))
            })
            .collect();
        starts(self.expectation.names.len(), rows.iter())
    }
}

/// For each column, the character to show its cells from: where all begin alike for longer than can be
/// shown, a little before they begin to differ.
fn starts<'a>(columns: usize, rows: impl Iterator<Item = &'a &'a [Option<String>]> + Clone) -> Vec<usize> {
    let start = |at: usize| {
        let mut cells = rows.clone().filter_map(|row| row.get(at)?.as_deref());
        let first = cells.next()?;
        let alike = |cell: &str| first.chars().zip(cell.chars()).take_while(|(a, b)| a == b).count();
        let alike = cells.map(alike).min()?;
        (alike > CELL_MAX - BEFORE).then(|| alike - BEFORE)
    };
    (0..columns).map(|at| start(at).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_cut_and_shown_where_they_differ() {
        let long = "x".repeat(70_000);
        let rows = [vec![Some(format!("{long}a")), None], vec![Some(format!("{long}b")), None]];
        let rows: Vec<&[Option<String>]> = rows.iter().map(Vec::as_slice).collect();
        let starts = starts(2, rows.iter());
        assert_eq!(starts, [69_984, 0]);
        assert_eq!(shown(rows[0][0].as_deref(), starts[0]), format!("…{}a", "x".repeat(16)));
    }
}
