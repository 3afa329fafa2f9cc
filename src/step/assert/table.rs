//! Rows as a person compares them: one a line, in columns, cut to what can be read.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::difference::Difference;
use super::judge::{Comparison, Expectation};
use super::why::written;
use crate::project::diagnostic::count;
use crate::project::matcher;

/// The most rows that are shown.
const ROWS_MORE: usize = 20;
/// The most columns of a terminal that one cell takes.
const CELL_MAX: usize = 60;
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

/// A line of a table: the sign before it, and its cells.
type Line = (&'static str, Vec<String>);

impl Table<'_> {
    /// The rows that differ, as they are expected and as they came back, with a line below those that came
    /// with other values; and where all are few, the others between them.
    pub fn draw(&self) -> String {
        let is_different = |it: &&Difference| !matches!(it, Difference::None(..));
        let different = self.differences.iter().filter(is_different).count();
        let is_short = self.differences.len() <= ROWS_MORE;
        let shown: Vec<&Difference> =
            self.differences.iter().filter(|it| is_short || is_different(it)).take(ROWS_MORE).collect();
        let starts = self.starts(&shown);
        let mut lines: Vec<Line> =
            vec![(" ", self.expectation.names.iter().map(|name| cut(name, 0)).collect())];
        let mut marked: Vec<(usize, &[usize])> = Vec::new();
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
                        marked.push((lines.len() - 1, columns));
                    }
                }
            }
        }
        let mut text = layout(&lines, &marked);
        let hidden = different.saturating_sub(shown.iter().filter(|it| is_different(it)).count());
        if hidden > 0 {
            let verb = if hidden == 1 { "differs" } else { "differ" };
            text.push_str(&format!("\n{hidden} more {} {verb}", if hidden == 1 { "row" } else { "rows" }));
        }
        if self.unseen > 0 {
            text.push_str(&format!("\n{} more rows came back", self.unseen));
        }
        let equal = self.differences.len() - different;
        if !is_short && equal > 0 {
            let are = if equal == 1 { "is" } else { "are" };
            text.push_str(&format!("\n{} {are} as expected, and not shown", count(equal, "row")));
        }
        format!("- expected, + returned\n{text}")
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

/// Cells below each other, as wide as they are seen, and lines below those of some rows that are marked.
fn layout(lines: &[Line], marked: &[(usize, &[usize])]) -> String {
    let columns = lines.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let width = |at: usize| {
        // A single remark that stands for a whole row is no cell.
        let cells = lines.iter().filter(|(_, cells)| cells.len() == columns);
        cells.filter_map(|(_, cells)| Some(cells.get(at)?.width())).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, (sign, cells)) in lines.iter().enumerate() {
        let pad = |(cell, width): (&String, &usize)| {
            format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
        };
        let cells: Vec<String> = cells.iter().zip(&widths).map(pad).collect();
        let newline = if number > 0 { "\n" } else { "" };
        text.push_str(&format!("{newline}{}", format!("{sign} {}", cells.join("  ")).trim_end()));
        if let Some((_, columns)) = marked.iter().find(|(line, _)| *line == number) {
            let both = [&lines[number - 1].1, &lines[number].1];
            let mark = |(at, width): (usize, &usize)| {
                let wide = both.iter().filter_map(|cells| Some(cells.get(at)?.width())).max().unwrap_or(0);
                let mark = if columns.contains(&at) { "~".repeat(wide.max(1)) } else { String::new() };
                format!("{mark}{}", " ".repeat(width.saturating_sub(mark.len())))
            };
            let marks: Vec<String> = widths.iter().enumerate().map(mark).collect();
            text.push_str(&format!("\n{}", format!("  {}", marks.join("  ")).trim_end()));
        }
    }
    text
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

/// A cell on one line. Quotes keep a text apart from NULL, and show the blanks around it.
fn shown(cell: Option<&str>, start: usize) -> String {
    match cell {
        None => "null".to_owned(),
        Some(text) if text.is_empty() || text == "null" || text.trim() != text => {
            cut(&format!("'{text}'"), start)
        }
        Some(text) => cut(text, start),
    }
}

/// A text on one line from a character on, cut to what can be read, with its length if it was cut.
pub fn cut(text: &str, start: usize) -> String {
    let mut line = String::from(if start > 0 { "…" } else { "" });
    let mut width = line.width();
    for c in text.chars().skip(start) {
        let shown = match c {
            '\n' => "⏎".to_owned(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        };
        width += if shown.chars().count() == 1 { c.width().unwrap_or(1) } else { shown.len() };
        if width > CELL_MAX {
            return format!("{line}… ({} characters)", text.chars().count());
        }
        line.push_str(&shown);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&'static str, &str)], marked: &[(usize, &[usize])], expected: &str) {
        let cells = |text: &str| text.split('|').map(|cell| shown(Some(cell), 0)).collect();
        let lines: Vec<Line> = lines.iter().map(|(sign, text)| (*sign, cells(text))).collect();
        assert_eq!(layout(&lines, marked), expected);
    }

    #[test]
    fn cells_stand_below_each_other_as_wide_as_they_are_seen() {
        check(
            &[(" ", "a|b"), ("-", "日本|x"), ("+", "a|null"), ("+", "e\u{301}\t|y\nz")],
            &[(2, &[1])],
            "  a      b\n- 日本   x\n+ a      'null'\n         ~~~~~~\n+ 'e\u{301}\\t'  y⏎z",
        );
    }

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
