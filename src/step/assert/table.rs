//! Rows as a person compares them: one a line, in columns, cut to what can be read.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::project::diagnostic::count;

/// The most columns of a terminal that one cell takes.
const CELL_MAX: usize = 60;
/// What is shown of the text before the place where long cells begin to differ.
const BEFORE: usize = 16;

/// A row of cells as texts, and of NULLs.
pub type Cells<'a> = &'a [Option<String>];

/// What was expected and did not come, and what came and was not expected. A number behind each says
/// how many there are that are not listed.
pub fn table(names: &[String], missing: (&[Cells], usize), extra: (&[Cells], usize)) -> String {
    let starts = starts(names.len(), missing.0.iter().chain(extra.0));
    let shown = |row: &Cells| -> Vec<String> {
        row.iter().zip(&starts).map(|(cell, start)| shown(cell.as_deref(), *start)).collect()
    };
    let mut lines: Vec<(&str, Vec<String>)> = vec![(" ", names.iter().map(|name| cut(name, 0)).collect())];
    lines.extend(missing.0.iter().map(|row| ("-", shown(row))));
    let extra_at = lines.len();
    lines.extend(extra.0.iter().map(|row| ("+", shown(row))));
    let width = |at: usize| lines.iter().filter_map(|(_, cells)| Some(cells.get(at)?.width())).max();
    let widths: Vec<usize> = (0..names.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut texts: Vec<String> = lines
        .iter()
        .map(|(sign, cells)| {
            let pad =
                |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width - cell.width()));
            let cells: Vec<String> = cells.iter().zip(&widths).map(pad).collect();
            format!("{sign} {}", cells.join("  ")).trim_end().to_owned()
        })
        .collect();
    let more =
        |sign: &str, hidden: usize| (hidden > 0).then(|| format!("{sign} {} more", count(hidden, "row")));
    texts.extend(more("+", extra.1));
    if let Some(more) = more("-", missing.1) {
        texts.insert(extra_at, more);
    }
    format!("- expected, + returned\n{}", texts.join("\n"))
}

/// For each column, the character to show its cells from: where all begin alike for longer than can be
/// shown, a little before they begin to differ.
fn starts<'a>(columns: usize, rows: impl Iterator<Item = &'a Cells<'a>> + Clone) -> Vec<usize> {
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

    fn check(missing: &[&str], extra: &[&str], expected: &str) {
        let rows = |texts: &[&str]| -> Vec<Vec<Option<String>>> {
            texts.iter().map(|text| text.split('|').map(|cell| Some(cell.to_owned())).collect()).collect()
        };
        let (missing, extra) = (rows(missing), rows(extra));
        let (missing, extra): (Vec<Cells>, Vec<Cells>) =
            (missing.iter().map(Vec::as_slice).collect(), extra.iter().map(Vec::as_slice).collect());
        let table = table(&["a".to_owned(), "b".to_owned()], (&missing, 0), (&extra, 2));
        assert_eq!(table, format!("- expected, + returned\n{expected}\n+ 2 rows more"));
    }

    #[test]
    fn cells_stand_below_each_other_as_wide_as_they_are_seen() {
        check(
            &["日本|x"],
            &["a|null", "e\u{301}\t|y\nz"],
            "  a      b\n- 日本   x\n+ a      'null'\n+ 'e\u{301}\\t'  y⏎z",
        );
    }

    #[test]
    fn long_cells_are_cut_and_shown_where_they_differ() {
        let long = "x".repeat(70_000);
        check(
            &[&format!("{long}a|1")],
            &[&format!("{long}b|2")],
            &format!("  a                                     b\n- …{0}a  1\n+ …{0}b  2", "x".repeat(16))
                .replace("  a                                     b", &format!("  a{}b", " ".repeat(19))),
        );
    }
}
