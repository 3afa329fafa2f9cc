//! Rows of a table between pipes. A column keeps its width while everything fits into it.

use std::cmp::Ordering;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::cells::Style;
use super::literal::literal;
use super::rows::{insert, line_end, line_start};
use super::{Refused, Way};
use crate::project::edit::Edit;
use crate::project::pipe::Line;
use crate::project::values::REF;
use crate::project::yaml::{Content, Entry, Node};
use crate::step::assert::revision::Renewed;

/// A line as it is to stand in the table: what stands between its pipes.
struct Drawn {
    /// The line it was before; else the one that it follows.
    line: usize,
    is_new: bool,
    is_rule: bool,
    cells: Vec<Cell>,
}

/// What stands between two pipes: as it was, or another text.
enum Cell {
    Same(String),
    Other(String, bool),
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Cell::Same(slot) => slot.trim(),
            Cell::Other(text, _) => text,
        }
    }

    /// Whether it stands at the right end of a column where others do, or do not.
    fn is_right(&self, others: bool) -> bool {
        match self {
            Cell::Same(slot) => match Side::of(slot) {
                Side::Both => others,
                side => side == Side::Right,
            },
            Cell::Other(_, is_right) => *is_right,
        }
    }
}

/// To which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    /// It fills it.
    Both,
}

impl Side {
    fn of(slot: &str) -> Side {
        let (lead, trail) = (slot.len() - slot.trim_start().len(), slot.len() - slot.trim_end().len());
        match lead.cmp(&trail) {
            Ordering::Greater if !slot.trim().is_empty() => Side::Right,
            Ordering::Equal => Side::Both,
            _ => Side::Left,
        }
    }
}

/// The edits of a table, and its rows after them.
pub fn way(style: &Style, rows: &[Node], lines: &[Line], renewed: &[Renewed]) -> Result<Way, Refused> {
    let text = style.text;
    let head = lines.first().ok_or("it has no head")?;
    let columns: Vec<(String, usize)> = columns(style, head, rows)?;
    let right = right(text, lines);
    let slots = |line: &Line| -> Vec<Cell> {
        line.slots.iter().map(|slot| Cell::Same(text[slot.clone()].to_owned())).collect()
    };
    let of_rows: Vec<usize> = (1..lines.len()).filter(|at| !lines[*at].is_rule).collect();
    let last_rule = (1..lines.len()).take_while(|at| lines[*at].is_rule).last().unwrap_or(0);
    let (mut drawn, mut wanted) = (Vec::new(), Vec::new());
    for at in (0..lines.len()).filter(|at| *at == 0 || lines[*at].is_rule) {
        let cells = slots(&lines[at]);
        drawn.push(Drawn { line: at, is_new: false, is_rule: lines[at].is_rule, cells });
    }
    let mut last = last_rule;
    for row in renewed {
        match row {
            Renewed::Kept(at) => {
                last = of_rows[*at];
                let cells = slots(&lines[last]);
                drawn.push(Drawn { line: last, is_new: false, is_rule: false, cells });
                wanted.push(rows[*at].clone());
            }
            Renewed::Changed(at, changed) => {
                last = of_rows[*at];
                let mut cells = slots(&lines[last]);
                let mut row = rows[*at].clone();
                let Content::Map(entries) = &mut row.content else { return Err("it has no rows".to_owned()) };
                for (column, value) in changed {
                    let cell =
                        columns.iter().position(|(_, at)| at == column).ok_or("a column is missing")?;
                    let Cell::Same(old) = &cells[cell] else { continue };
                    if old.contains(REF) {
                        return Err("its value has a name (`$ref`), and is said elsewhere".to_owned());
                    }
                    let quote = old.trim().chars().next().filter(|c| matches!(c, '\'' | '"'));
                    let literal = literal(value.as_deref(), &style.types[*column], quote);
                    let literal = literal.ok_or("a value that came back cannot be written in YAML")?;
                    cells[cell] = Cell::Other(literal.text, right[cell]);
                    entries[cell].value = literal.node;
                }
                drawn.push(Drawn { line: last, is_new: false, is_rule: false, cells });
                wanted.push(row);
            }
            Renewed::New(texts) => {
                let (mut cells, mut entries) = (Vec::new(), Vec::new());
                for ((name, at), is_right) in columns.iter().zip(&right) {
                    let literal = literal(texts[*at].as_deref(), &style.types[*at], None);
                    let literal = literal.ok_or("a value that came back cannot be written in YAML")?;
                    cells.push(Cell::Other(literal.text, *is_right));
                    let (key, key_span) = (name.clone(), Default::default());
                    entries.push(Entry { key, key_span, value: literal.node });
                }
                drawn.push(Drawn { line: last, is_new: true, is_rule: false, cells });
                wanted.push(Node { content: Content::Map(entries), span: Default::default() });
            }
        }
    }
    Ok((edits(text, lines, &drawn, &right), wanted))
}

/// The columns of the head, each with its number in the query.
fn columns(style: &Style, head: &Line, rows: &[Node]) -> Result<Vec<(String, usize)>, Refused> {
    let names: Vec<String> = match rows.first().map(|row| &row.content) {
        Some(Content::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => head.slots.iter().map(|slot| style.text[slot.clone()].trim().to_owned()).collect(),
    };
    let at = |name: &String| style.names.iter().position(|it| it == name);
    let columns = names.iter().map(|name| Some((name.clone(), at(name)?)));
    let columns: Option<Vec<_>> = columns.collect();
    let columns = columns.ok_or("the head of the table names other columns than the query")?;
    // Without rows nobody has compared the columns yet.
    if rows.is_empty() && columns.len() != style.names.len() {
        return Err("the query returns other columns than the head of the table names".to_owned());
    }
    Ok(columns)
}

/// For each column, whether its cells stand at the right end: all that do not fill it, or as the line below the
/// head says.
fn right(text: &str, lines: &[Line]) -> Vec<bool> {
    let is_right = |at: usize| {
        let slots = |is_rule: bool| {
            let lines = lines.iter().skip(1).filter(move |line| line.is_rule == is_rule);
            lines.map(move |line| &text[line.slots[at].clone()])
        };
        if slots(true).any(|rule| rule.trim().ends_with(':') && !rule.trim().starts_with(':')) {
            return true;
        }
        let sides: Vec<Side> = slots(false).map(Side::of).collect();
        sides.contains(&Side::Right) && !sides.contains(&Side::Left)
    };
    (0..lines[0].slots.len()).map(is_right).collect()
}

fn edits(text: &str, lines: &[Line], drawn: &[Drawn], right: &[bool]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let widths: Vec<Width> = (0..lines[0].slots.len()).map(|at| width(text, lines, drawn, at)).collect();
    let mut new: Vec<(usize, Vec<String>)> = Vec::new();
    for line in drawn {
        let old = &lines[line.line];
        if line.is_new {
            let cells = line.cells.iter().zip(&widths).zip(right);
            let drawn: Vec<String> = cells.map(|((it, width), right)| draw(it, width, *right)).collect();
            let start = line_start(text, old.slots[0].start);
            let indent = &text[start..old.slots[0].start - 1];
            let drawn = format!("{indent}|{}|", drawn.join("|"));
            match new.last_mut() {
                Some((at, lines)) if *at == line.line => lines.push(drawn),
                _ => new.push((line.line, vec![drawn])),
            }
            continue;
        }
        let columns = old.slots.iter().zip(&widths).zip(right);
        for (cell, ((slot, width), is_right)) in line.cells.iter().zip(columns) {
            let by = match (cell, width) {
                (Cell::Same(_), Width::Kept(_) | Width::None) => continue,
                (Cell::Same(drawn), Width::Grown(width)) if line.is_rule => rule(drawn, *width),
                _ => draw(cell, width, *is_right && line.line > 0),
            };
            edits.push(Edit::new(slot.clone(), by));
        }
    }
    for (at, rows) in &new {
        let end = lines[*at].slots.last().map_or(0, |slot| line_end(text, slot.end));
        edits.push(insert(text, end, rows));
    }
    for at in gone(lines.len(), drawn) {
        edits.push(Edit::new(whole(text, &lines[at]), ""));
    }
    edits
}

fn gone(count: usize, drawn: &[Drawn]) -> Vec<usize> {
    let mut is_there = vec![false; count];
    drawn.iter().filter(|line| !line.is_new).for_each(|line| is_there[line.line] = true);
    (0..count).filter(|at| !is_there[*at]).collect()
}

fn whole(text: &str, line: &Line) -> Range<usize> {
    let (first, last) = (&line.slots[0], &line.slots[line.slots.len() - 1]);
    line_start(text, first.start)..line_end(text, last.end)
}

/// How wide a column is between its pipes.
enum Width {
    /// As it was.
    Kept(usize),
    /// Wider than it was.
    Grown(usize),
    /// Its lines were not below each other.
    None,
}

fn width(text: &str, lines: &[Line], drawn: &[Drawn], at: usize) -> Width {
    let slot = |line: &Line| text[line.slots[at].clone()].width();
    let old = slot(&lines[0]);
    if !lines.iter().all(|line| slot(line) == old) {
        return Width::None;
    }
    // A blank at each side.
    let fits = |cell: &Cell| match cell {
        Cell::Same(_) => true,
        Cell::Other(text, _) => text.width() + 2 <= old,
    };
    if drawn.iter().all(|line| fits(&line.cells[at])) {
        return Width::Kept(old);
    }
    let texts = drawn.iter().filter(|line| !line.is_rule).map(|line| line.cells[at].text().width() + 2);
    Width::Grown(texts.max().unwrap_or(old))
}

fn draw(cell: &Cell, width: &Width, is_right: bool) -> String {
    let text = cell.text();
    let width = match width {
        Width::Kept(width) | Width::Grown(width) => *width,
        Width::None => return format!(" {text} "),
    };
    let pad = " ".repeat(width.saturating_sub(text.width() + 2));
    match cell.is_right(is_right) {
        true => format!(" {pad}{text} "),
        false => format!(" {text}{pad} "),
    }
}

/// The line below the head, at another width.
fn rule(drawn: &str, width: usize) -> String {
    let more = width.saturating_sub(drawn.width());
    let at = drawn.find('-').unwrap_or(0);
    format!("{}{}{}", &drawn[..at], "-".repeat(more), &drawn[at..])
}
