//! What a step sent: SQL, and the values that went with it.

use maud::{Markup, html};

use super::words::Words;
use crate::plan::sent::Sent;
use crate::project::diagnostic::count;

/// All of it, folded.
pub fn draw(sent: &[Sent], words: &Words) -> Markup {
    html! {
        @if !sent.is_empty() {
            details .sql {
                summary {
                    "SQL"
                    @if sent.len() > 1 { " " small { (count(sent.len(), "statement")) } }
                }
                @for sent in sent { (statement(sent, words)) }
            }
        }
    }
}

fn statement(sent: &Sent, words: &Words) -> Markup {
    html! {
        pre tabindex="0" { code { (words.say(sent.sql.trim_end())) } }
        @if !sent.values.is_empty() {
            div .scroll tabindex="0" role="group" aria-label="Values" {
                table .values {
                    thead { tr { th scope="col" { "Parameter" } th scope="col" { "For" } th scope="col" { "Value" } } }
                    tbody {
                        @for (at, (what, value)) in sent.values.iter().enumerate() {
                            tr {
                                th scope="row" { "$" (at + 1) }
                                td { (words.say(what)) }
                                td { code { (words.say(value)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
