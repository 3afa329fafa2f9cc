//! Reading typed things out of YAML nodes, noting every problem instead of stopping at the first.

use std::sync::Arc;
use std::time::Duration;

use super::control;
use super::diagnostic::{Diagnostic, did_you_mean, list};
use super::source::{Name, Source, Span};
use super::values::Values;
use super::yaml::{Content, Entry, Node};

/// The shortest time that is not taken for none.
const TIME_MIN: Duration = Duration::from_millis(1);
/// The longest time that the server can count.
const TIME_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The file being read, and what is wrong with it so far.
pub struct Reading<'a> {
    /// The file.
    pub source: &'a Arc<Source>,
    /// Where problems go.
    pub problems: &'a mut Vec<Diagnostic>,
    /// What `$ref` and parameters may name here.
    pub values: Values,
}

impl<'a> Reading<'a> {
    /// A reading of a file without named values.
    pub fn new(source: &'a Arc<Source>, problems: &'a mut Vec<Diagnostic>) -> Reading<'a> {
        Reading { source, problems, values: Values::default() }
    }
}

impl Reading<'_> {
    /// Notes a problem at a place in the file, and hands it back for more words.
    pub fn problem(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(message).at(self.source, span));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    /// Notes a problem and the next action.
    pub fn problem_help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problem(span, message).help = Some(help.into());
    }

    /// Notes a key nobody reads.
    pub fn unknown_key(&mut self, entry: &Entry, of: &str, known: &[&str]) {
        let help = did_you_mean(&entry.key, known.iter().copied());
        self.problem(entry.key_span, format!("unknown key `{}` in {of}", entry.key)).help = help;
    }

    /// The entries of a map.
    pub fn map(&mut self, node: Node, what: &str) -> Option<Vec<Entry>> {
        match node.content {
            Content::Map(entries) => Some(entries),
            _ => self.unexpected(&node, what, "a map"),
        }
    }

    /// The items of a list.
    pub fn list(&mut self, node: Node, what: &str) -> Option<Vec<Node>> {
        match node.content {
            Content::List(items) => Some(items),
            _ => self.unexpected(&node, what, "a list"),
        }
    }

    /// A title or name: one line that is not empty.
    pub fn text(&mut self, node: Node, what: &str) -> Option<Name> {
        let name = self.passage(node, what)?;
        let refused = name.text.chars().find(|c| control::is_harmful(*c));
        let message = match refused {
            None => return Some(name),
            Some('\n' | '\r') => format!("{what} is one line"),
            Some('\0') => format!("{what} holds a NUL character"),
            Some(c) => format!("{what} holds a control character, U+{:04X}", u32::from(c)),
        };
        self.problem_help(name.span, message, "write it in one line, without characters that nobody sees");
        None
    }

    /// A text of any number of lines that is not empty.
    pub fn passage(&mut self, node: Node, what: &str) -> Option<Name> {
        match node.content {
            Content::Scalar(text, _) if text.trim().is_empty() => {
                self.problem(node.span, format!("{what} is empty"));
                None
            }
            Content::Scalar(text, _) => Some(Name { text, span: node.span }),
            _ => self.unexpected(&node, what, "text"),
        }
    }

    /// One name, or a list of names. Never empty, unless a problem was noted.
    pub fn names(&mut self, node: Node, what: &str) -> Vec<Name> {
        let span = node.span;
        let names: Vec<Name> = match node.content {
            Content::List(items) => items.into_iter().filter_map(|item| self.text(item, what)).collect(),
            _ => return self.text(node, what).into_iter().collect(),
        };
        if names.is_empty() {
            self.problem(span, format!("{what} names nothing"));
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].iter().any(|earlier| earlier.text == name.text) {
                self.problem(name.span, format!("`{}` is named twice", name.text));
            }
        }
        names
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, node: Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let name = self.text(node, what)?;
        let chosen = words.iter().find(|(word, _)| *word == name.text);
        if chosen.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{}` is no {what}; it is one of {}", name.text, list(&known));
            self.problem(name.span, message);
        }
        chosen.map(|(_, value)| *value)
    }

    /// `true` or `false`; anything else is a problem, and as good as `false`.
    pub fn flag(&mut self, node: Node, what: &str) -> bool {
        self.choice(node, what, &[("true", true), ("false", false)]).unwrap_or_default()
    }

    /// A whole number that is not negative.
    pub fn whole_number(&mut self, node: Node, what: &str) -> Option<u64> {
        let name = self.text(node, what)?;
        let number = name.text.parse();
        if number.is_err() {
            self.problem(name.span, format!("{what} is a whole number, not `{}`", name.text));
        }
        number.ok()
    }

    /// A time of at least a millisecond, like `5s`.
    pub fn time(&mut self, node: Node, what: &str) -> Option<Duration> {
        let name = self.text(node, what)?;
        let message = match humantime::parse_duration(&name.text) {
            Ok(time) if (TIME_MIN..=TIME_MAX).contains(&time) => return Some(time),
            Ok(time) if time < TIME_MIN => format!("{what} is at least a millisecond"),
            Ok(_) => format!("{what} is at most 24 days"),
            Err(_) => format!("{what} is a time, not `{}`", name.text),
        };
        self.problem_help(name.span, message, "write it like `250ms`, `5s` or `2min`");
        None
    }

    fn unexpected<T>(&mut self, node: &Node, what: &str, wanted: &str) -> Option<T> {
        self.problem(node.span, format!("{what} is {wanted}, and here stands {}", node.noun()));
        None
    }
}
