//! Rows that come and go between the brackets of a list.

use super::Refused;
use super::cells::flow;
use super::rows::{Piece, Sheet, is_blank, is_spaced, line_start};
use crate::project::edit::{self, Edit};
use crate::project::source::Span;

/// The edits of a list that has rows already, beside those of its cells.
pub fn edits(sheet: &Sheet, cells: Vec<Edit>) -> Result<Vec<Edit>, Refused> {
    match stand_alone(sheet) {
        true => Ok(on_lines(sheet, cells)),
        false if sheet.pieces.is_empty() && !sheet.text[sheet.list.range.clone()].contains('#') => {
            Ok(vec![Edit::new(sheet.list.range.clone(), "[]")])
        }
        false => on_one_line(sheet, cells),
    }
}

/// Whether every row has its lines for itself.
fn stand_alone(sheet: &Sheet) -> bool {
    sheet.list.items.iter().enumerate().all(|(at, row)| {
        let behind = &sheet.text[row.range.end..sheet.lines_end(at)];
        let behind = behind.trim_start();
        let behind = behind.strip_prefix(',').unwrap_or(behind).trim_start();
        let before = &sheet.text[line_start(sheet.text, row.range.start)..row.range.start];
        is_blank(before) && (behind.is_empty() || behind.starts_with('#'))
    })
}

fn on_lines(sheet: &Sheet, mut edits: Vec<Edit>) -> Vec<Edit> {
    let (text, items) = (sheet.text, &sheet.list.items);
    let comma = |at: usize| text[items[at].range.end..].trim_start().starts_with(',');
    let last = items.len() - 1;
    let ends_with_comma = comma(last);
    // The last row gets a comma when another one follows it now.
    let is_last = matches!(sheet.pieces.last(), Some(Piece::Old(at)) if *at == last);
    let is_kept = !sheet.gone().contains(&last);
    if !ends_with_comma && is_kept && !is_last {
        let end = items[last].range.end;
        edits.push(Edit::new(end..end, ","));
    }
    let news = sheet.pieces.iter().filter(|piece| matches!(piece, Piece::New(..))).count();
    let written = std::cell::Cell::new(0);
    let ends_new = matches!(sheet.pieces.last(), Some(Piece::New(..)));
    let lines = |at: usize| line_start(text, items[at].range.start)..sheet.lines_end(at);
    sheet.change_lines(&mut edits, lines, |cells, beside| {
        written.set(written.get() + 1);
        let row = &items[beside];
        let indent = &text[line_start(text, row.range.start)..row.range.start];
        let is_end = ends_new && written.get() == news && !ends_with_comma;
        let comma = if is_end { "" } else { "," };
        format!("{indent}{}{comma}", flow(cells, is_spaced(text, row)))
    });
    edits
}

/// Rows that share lines: what stands between those that stay beside each other stays too.
fn on_one_line(sheet: &Sheet, cells: Vec<Edit>) -> Result<Vec<Edit>, Refused> {
    let (text, items) = (sheet.text, &sheet.list.items);
    let gap = |at: usize| &text[items[at].range.end..items[at + 1].range.start];
    if (0..items.len() - 1).any(|at| gap(at).contains('#')) {
        return Err("comments stand between its rows".to_owned());
    }
    let usual = if items.len() > 1 { gap(0) } else { ", " };
    let mut written = String::new();
    let mut before = None;
    for (number, piece) in sheet.pieces.iter().enumerate() {
        let at = if let Piece::Old(at) = piece { Some(*at) } else { None };
        if number > 0 {
            let is_next = at.zip(before).is_some_and(|(at, before)| at == before + 1);
            written.push_str(if is_next { gap(at.unwrap_or(1) - 1) } else { usual });
        }
        match piece {
            Piece::Old(at) => {
                let range = &items[*at].range;
                let inner = cells.iter().filter(|edit| {
                    range.start <= edit.span.start as usize && edit.span.end as usize <= range.end
                });
                let moved = |edit: &Edit| {
                    let (start, end) = (edit.span.start as usize, edit.span.end as usize);
                    Edit { span: Span::new(start - range.start, end - range.start), by: edit.by.clone() }
                };
                let inner: Vec<Edit> = inner.map(moved).collect();
                let row = edit::apply(&text[range.clone()], &inner);
                written.push_str(&row.ok_or("its rows overlap")?);
            }
            Piece::New(cells, beside) => {
                written.push_str(&flow(cells, is_spaced(text, &items[beside.unwrap_or(0)])));
            }
        }
        before = at;
    }
    let whole = items[0].range.start..items[items.len() - 1].range.end;
    Ok(vec![Edit::new(whole, written)])
}
