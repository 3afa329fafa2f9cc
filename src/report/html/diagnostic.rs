//! A problem: what it is, where, what helps to understand it, and what to do.

use maud::{Markup, html};

use super::words::Words;
use super::{excerpt, grid};
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::source::Place;

/// The problem.
pub fn draw(diagnostic: &Diagnostic, words: &Words) -> Markup {
    let (name, word) = match diagnostic.severity {
        Severity::Warning => ("warning", "warning"),
        Severity::Failed => ("failed", "failed"),
        Severity::Error => ("error", "error"),
    };
    html! {
        div .diagnostic .(name) {
            p .message { b { (word) } " " (words.prose(&diagnostic.message)) }
            @if let Some(place) = &diagnostic.place {
                p .place { (words.say(&shown(place))) }
                (excerpt::draw(place, diagnostic, words))
            }
            @for (at, note) in diagnostic.notes.iter().enumerate() {
                @match &diagnostic.grid {
                    Some((number, table)) if *number == at => (grid::draw(table, words)),
                    _ => (fact(note, words)),
                }
            }
            @if let Some(help) = &diagnostic.help {
                p .help { b { "help" } " " (words.prose(help)) }
            }
        }
    }
}

/// `scenarios/a.yaml:3:7`; a file without a text to point into has no line.
fn shown(place: &Place) -> String {
    if place.source.text.is_empty() && place.source.line_first == 1 {
        return place.source.path.clone();
    }
    place.to_string()
}

/// A sentence, or lines whose columns stand below each other.
fn fact(note: &str, words: &Words) -> Markup {
    match note.contains('\n') {
        true => html! { pre .note tabindex="0" { (words.say(note)) } },
        false => html! { p .note { (words.prose(note)) } },
    }
}
