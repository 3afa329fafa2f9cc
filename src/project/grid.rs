//! Grid: lines of a note in columns, each with a sign before it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The most columns of a terminal that one cell takes.
pub const CELL_MAX: usize = 60;

/// A line of a table: the sign before it, and its cells.
pub type Line = (&'static str, Vec<String>);

/// Lines with the same columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// What the signs mean, if they mean anything.
    pub legend: Option<&'static str>,
    /// The lines; the first has the names of the columns.
    pub lines: Vec<Line>,
    /// Cells that differ from those of the line above: a line's number, and its columns.
    pub marked: Vec<(usize, Vec<usize>)>,
    /// What is to be said of lines that are not shown.
    pub more: Vec<String>,
}

impl Grid {
    /// Lines without signs or marks to explain.
    pub fn of(lines: Vec<Line>) -> Grid {
        Grid { lines, ..Grid::default() }
    }

    /// The grid as text.
    pub fn text(&self) -> String {
        let marked: Vec<(usize, &[usize])> =
            self.marked.iter().map(|(line, columns)| (*line, columns.as_slice())).collect();
        let mut text = self.legend.map(|legend| format!("{legend}\n")).unwrap_or_default();
        text.push_str(&layout(&self.lines, &marked));
        for more in &self.more {
            text.push_str(&format!("\n{more}"));
        }
        text
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

/// A cell on one line. Quotes keep a text apart from NULL, and show the blanks around it.
pub fn shown(cell: Option<&str>, start: usize) -> String {
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
}
