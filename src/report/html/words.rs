//! Words of others on their way into the page.

use maud::{Markup, html};

use crate::project::diagnostic::printable;
use crate::report::suite::Censor;

/// The one way for what authors and servers wrote: without secrets, and with characters that nobody sees made
/// visible. What comes of it is text still, which maud escapes.
pub struct Words<'a> {
    censor: Censor<'a>,
}

impl<'a> Words<'a> {
    /// With what takes the secrets out.
    pub fn new(censor: Censor<'a>) -> Words<'a> {
        Words { censor }
    }

    /// A text as it may be shown.
    pub fn say(&self, text: &str) -> String {
        shown(&self.censored(text))
    }

    /// A text without secrets, for those who take it apart; each part goes through [`shown`].
    pub fn censored(&self, text: &str) -> String {
        (self.censor)(text).into_owned()
    }

    /// A sentence, in which what stands in backticks is set as code.
    pub fn prose(&self, text: &str) -> Markup {
        let said = self.say(text);
        let parts: Vec<&str> = said.split('`').collect();
        // Without a partner, one is a character like any other.
        if parts.len().is_multiple_of(2) {
            return html! { (said) };
        }
        html! {
            @for (at, part) in parts.iter().enumerate() {
                @if at % 2 == 1 { code { (part) } } @else { (part) }
            }
        }
    }
}

/// What is left of a censored text to be shown: a file's line ends are not for reading, other control
/// characters are made visible.
pub fn shown(text: &str) -> String {
    printable(&text.replace("\r\n", "\n"))
}
