//! The lines of a file that a problem points at.
//!
//! A secret is taken out of all lines that stand below each other at once, before they are cut to pieces:
//! half a secret would not be known as one. Where that changed a line, it is marked as a whole.

use std::ops::Range;

use maud::{Markup, html};
use unicode_width::UnicodeWidthStr;

use super::words::{Words, shown};
use crate::project::diagnostic::{self, Diagnostic};
use crate::project::source::Place;

/// How many lines are shown before and behind the one that is meant.
const AROUND: usize = 2;
/// The most characters of a line that are shown as they are.
const LINE_MAX: usize = 240;
/// Of longer ones, the characters that are shown of what is not marked, and of what is.
const PIECE_MAX: usize = 80;

/// A line of the file: its number, and where it is.
struct Line {
    number: usize,
    range: Range<usize>,
}

/// Something that is marked.
struct Span {
    range: Range<usize>,
    name: &'static str,
    label: Option<Markup>,
}

impl Span {
    /// Whether it begins in a line, the end of which counts, in whatever way it is written.
    fn is_in(&self, line: &Line) -> bool {
        (line.range.start..=line.range.end + 1).contains(&self.range.start)
    }
}

/// The lines, numbered, with what is meant marked; nothing where there are none.
pub fn draw(place: &Place, diagnostic: &Diagnostic, words: &Words) -> Markup {
    let text = place.source.text.as_str();
    if text.is_empty() {
        return html! {};
    }
    let mut spans = vec![Span {
        range: diagnostic::shown(text, place.span),
        name: "meant",
        label: diagnostic.label.as_deref().map(|label| words.prose(label)),
    }];
    if let Some((span, label)) = &diagnostic.context {
        spans.push(Span {
            range: diagnostic::shown(text, *span),
            name: "context",
            label: Some(words.prose(label)),
        });
    }
    html! {
        pre .excerpt tabindex="0" aria-label="Excerpt" {
            @for (at, run) in runs(text, place.source.line_first, &spans).iter().enumerate() {
                @if at > 0 { span .number { "⋮" } "\n" }
                @for line in lines(text, run, &spans, words) { (line) }
            }
        }
    }
}

/// The lines to show, those that stand below each other together.
fn runs(text: &str, line_first: usize, spans: &[Span]) -> Vec<Vec<Line>> {
    let mut start = 0;
    let mut all = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let end = start + line.trim_end_matches('\r').len();
        all.push(Line { number: line_first + at, range: start..end });
        start += line.len() + 1;
    }
    let line_of =
        |span: &Span| all.iter().rposition(|line| line.range.start <= span.range.start).unwrap_or(0);
    let (meant, wanted) = (line_of(&spans[0]), spans.iter().map(line_of).collect::<Vec<_>>());
    // Behind the last newline there is nothing, unless that is meant.
    if text.ends_with('\n') && meant + 1 < all.len() {
        all.pop();
    }
    let mut runs: Vec<Vec<Line>> = Vec::new();
    for (at, line) in all.into_iter().enumerate() {
        if at.abs_diff(meant) > AROUND && !wanted.contains(&at) {
            continue;
        }
        match runs.last_mut().filter(|run| run.last().is_some_and(|last| last.number + 1 == line.number)) {
            Some(run) => run.push(line),
            None => runs.push(vec![line]),
        }
    }
    runs
}

/// A run of lines, drawn.
fn lines(text: &str, run: &[Line], spans: &[Span], words: &Words) -> Vec<Markup> {
    let range = run[0].range.start..run[run.len() - 1].range.end;
    let joined = text[range].replace('\r', "");
    let censored = words.censored(&joined);
    let shown: Vec<&str> = censored.split('\n').collect();
    // Where a secret took several lines, nobody knows any more which is which.
    if shown.len() != run.len() {
        return shown.iter().map(|line| numbered("", &[(line, None)])).collect();
    }
    let drawn = run.iter().zip(shown).map(|(line, shown)| {
        let own = &text[line.range.clone()];
        let mut spans: Vec<&Span> = spans.iter().filter(|span| span.is_in(line)).collect();
        spans.sort_by_key(|span| span.range.start);
        let number = line.number.to_string();
        match own == shown {
            true => marked(&number, line, own, &spans),
            false => numbered(&number, &[(shown, spans.first().copied())]),
        }
    });
    drawn.collect()
}

/// A line as it is in the file, with its marks.
fn marked(number: &str, line: &Line, own: &str, spans: &[&Span]) -> Markup {
    let mut pieces = Vec::new();
    let mut at = 0;
    for span in spans {
        let start = (span.range.start - line.range.start).min(own.len());
        let end = (span.range.end - line.range.start).clamp(start, own.len());
        // Of two that lie upon each other, the first is marked.
        if start < at {
            continue;
        }
        pieces.push((&own[at..start], None));
        pieces.push((&own[start..end], Some(*span)));
        at = end;
    }
    pieces.push((&own[at..], None));
    numbered(number, &pieces)
}

fn numbered(number: &str, pieces: &[(&str, Option<&Span>)]) -> Markup {
    let is_long = pieces.iter().map(|(piece, _)| piece.chars().count()).sum::<usize>() > LINE_MAX;
    let mut indent = 0;
    let mut drawn = Vec::new();
    let mut labels = Vec::new();
    for (at, (piece, span)) in pieces.iter().enumerate() {
        let piece = match is_long {
            true => cut(piece, at == 0 && pieces.len() > 1),
            false => (*piece).to_owned(),
        };
        let piece = shown(&piece).replace('\t', "    ");
        if let Some(Span { label: Some(label), name, .. }) = span {
            labels.push((indent, *name, label));
        }
        indent += piece.width();
        // Something marked is seen even where there is no character.
        let piece = if span.is_some() && piece.is_empty() { " ".to_owned() } else { piece };
        drawn.push((piece, span.map(|span| span.name)));
    }
    // Labels are written below from the right to the left, so that each stands free.
    labels.reverse();
    html! {
        span .number { (number) }
        @for (piece, name) in &drawn {
            @match name {
                Some(name) => mark .(name) { (piece) },
                None => (piece),
            }
        }
        "\n"
        @for (indent, name, label) in &labels {
            span .number {} (" ".repeat(*indent)) span .label .(name) { "╰ " (label) } "\n"
        }
    }
}

/// The end of a text before something marked, else the beginning.
fn cut(piece: &str, is_before: bool) -> String {
    let length = piece.chars().count();
    if length <= PIECE_MAX {
        return piece.to_owned();
    }
    match is_before {
        true => format!("…{}", piece.chars().skip(length - PIECE_MAX).collect::<String>()),
        false => format!("{}…", piece.chars().take(PIECE_MAX).collect::<String>()),
    }
}
