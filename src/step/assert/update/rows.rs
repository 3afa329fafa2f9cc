//! Rows that come and go in a list: each between dashes on lines of its own, or between brackets.

use super::cells::{Style, flow};
use super::literal::Literal;
use super::{Refused, Way, brackets};
use crate::project::edit::Edit;
use crate::project::extent::{Extent, Form, colon};
use crate::project::source::Span;
use crate::project::yaml::Node;
use crate::step::assert::revision::Renewed;

/// A row as it is to stand in the list.
pub enum Piece {
    /// The one of this number.
    Old(usize),
    /// Another one, beside the one of this number, if there is any.
    New(Vec<(String, Literal)>, Option<usize>),
}

/// The ways to write a list anew that stands under a key.
pub fn ways(
    text: &str,
    style: &Style,
    (key, items, list): (Span, &[Node], &Extent),
    renewed: &[Renewed],
) -> Result<Vec<Way>, Refused> {
    let columns = style.columns(items)?;
    let (mut edits, mut wanted, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for row in renewed {
        match row {
            Renewed::Kept(at) => {
                wanted.push(items[*at].clone());
                pieces.push(Piece::Old(*at));
                last = Some(*at);
            }
            Renewed::Changed(at, changed) => {
                wanted.push(style.change(&items[*at], &list.items[*at], changed, &mut edits)?);
                pieces.push(Piece::Old(*at));
                last = Some(*at);
            }
            Renewed::New(texts) => {
                let at = last.or((!items.is_empty()).then_some(0));
                let beside = at.map(|at| (&items[at], &list.items[at]));
                let (cells, row) = style.new_row(&columns, texts, beside)?;
                wanted.push(row);
                pieces.push(Piece::New(cells, at));
            }
        }
    }
    let is_new = |piece: &Piece| matches!(piece, Piece::New(..));
    let is_same_list = pieces.len() == items.len() && !pieces.iter().any(is_new);
    let sheet = Sheet { text, key, list, pieces: &pieces };
    let found = match list.form {
        _ if is_same_list => vec![edits],
        Form::Block => vec![sheet.dashes(edits)?],
        _ if items.is_empty() => sheet.first()?,
        _ => vec![brackets::edits(&sheet, edits)?],
    };
    Ok(found.into_iter().map(|edits| (edits, wanted.clone())).collect())
}

/// A list, and what it is to hold.
pub struct Sheet<'a> {
    pub text: &'a str,
    pub key: Span,
    pub list: &'a Extent,
    pub pieces: &'a [Piece],
}

impl Sheet<'_> {
    /// Rows where there were none: on lines of their own, or else in the brackets.
    fn first(&self) -> Result<Vec<Vec<Edit>>, Refused> {
        let cells = self.pieces.iter().filter_map(|piece| match piece {
            Piece::New(cells, _) => Some(flow(cells, false)),
            Piece::Old(_) => None,
        });
        let rows: Vec<String> = cells.collect();
        let inside = vec![Edit::new(self.list.range.clone(), format!("[{}]", rows.join(", ")))];
        let start = line_start(self.text, self.key.start as usize);
        let indent = &self.text[start..self.key.start as usize];
        let end = self.list.range.end;
        let is_alone = is_blank(indent) && is_blank(&self.text[end..line_end(self.text, end)]);
        let Some(colon) = colon(self.text, self.key).filter(|_| is_alone) else { return Ok(vec![inside]) };
        let newline = newline(self.text, end);
        let lines: String = rows.iter().map(|row| format!("{newline}{indent}  - {row}")).collect();
        Ok(vec![vec![Edit::new(colon + 1..end, lines)], inside])
    }

    /// Rows behind dashes.
    fn dashes(&self, mut edits: Vec<Edit>) -> Result<Vec<Edit>, Refused> {
        let list = self.list;
        let lines = |at: usize| line_start(self.text, list.dashes[at])..self.lines_end(at);
        let is_on_its_own = |at: usize| is_blank(&self.text[lines(at).start..list.dashes[at]]);
        if !(0..list.items.len()).all(is_on_its_own) {
            return Err("its rows do not stand on lines of their own".to_owned());
        }
        if self.pieces.is_empty() {
            let colon = colon(self.text, self.key).ok_or("its key is not understood")?;
            edits.push(Edit::new(colon + 1..colon + 1, " []"));
        }
        self.change_lines(&mut edits, lines, |cells, beside| {
            let (dash, row) = (list.dashes[beside], &list.items[beside]);
            let indent = &self.text[line_start(self.text, dash)..dash];
            let gap = Some(&self.text[dash + 1..row.range.start]);
            let gap = gap.filter(|gap| !gap.is_empty() && gap.chars().all(|c| c == ' ')).unwrap_or(" ");
            match row.form {
                Form::Block => {
                    let lines = cells.iter().enumerate().map(|(at, (key, value))| {
                        let lead = if at == 0 { format!("-{gap}") } else { format!(" {gap}") };
                        format!("{indent}{lead}{key}: {}", value.text)
                    });
                    lines.collect::<Vec<_>>().join(newline(self.text, dash))
                }
                _ => format!("{indent}-{gap}{}", flow(cells, is_spaced(self.text, row))),
            }
        });
        Ok(edits)
    }

    /// Takes out the lines of rows that go, and puts in those of rows that come.
    pub fn change_lines(
        &self,
        edits: &mut Vec<Edit>,
        lines: impl Fn(usize) -> std::ops::Range<usize>,
        write: impl Fn(&[(String, Literal)], usize) -> String,
    ) {
        for at in self.gone() {
            edits.push(Edit::new(lines(at), ""));
        }
        let mut place = lines(0).start;
        let mut new: Vec<String> = Vec::new();
        let mut flush = |place: usize, new: &mut Vec<String>| {
            if !new.is_empty() {
                edits.push(insert(self.text, place, new));
                new.clear();
            }
        };
        for piece in self.pieces {
            match piece {
                Piece::New(cells, beside) => new.push(write(cells, beside.unwrap_or(0))),
                Piece::Old(at) => {
                    flush(place, &mut new);
                    place = lines(*at).end;
                }
            }
        }
        flush(place, &mut new);
    }

    /// The rows that go.
    pub fn gone(&self) -> Vec<usize> {
        let mut is_there = vec![false; self.list.items.len()];
        for piece in self.pieces {
            if let Piece::Old(at) = piece {
                is_there[*at] = true;
            }
        }
        (0..is_there.len()).filter(|at| !is_there[*at]).collect()
    }

    /// The byte behind the last line of a row.
    pub fn lines_end(&self, at: usize) -> usize {
        line_end(self.text, self.list.items[at].range.end)
    }
}

/// Whether brackets of a row have blanks inside.
pub fn is_spaced(text: &str, row: &Extent) -> bool {
    row.form == Form::Flow && text[row.range.clone()].starts_with("{ ")
}

/// Lines put in at the beginning of a line, or behind the last one.
pub fn insert(text: &str, at: usize, lines: &[String]) -> Edit {
    let newline = newline(text, at);
    let lines = lines.join(newline);
    match at == 0 || text[..at].ends_with('\n') {
        true => Edit::new(at..at, format!("{lines}{newline}")),
        false => Edit::new(at..at, format!("{newline}{lines}")),
    }
}

/// The byte at which the line of a byte begins.
pub fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |before| before + 1)
}

/// The byte behind the line of a byte.
pub fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |more| at + more + 1)
}

/// How lines end before a byte, or else behind it.
pub fn newline(text: &str, at: usize) -> &'static str {
    match text[..at].rfind('\n').or_else(|| text.find('\n')) {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Whether a piece of a line is nothing but blanks.
pub fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
