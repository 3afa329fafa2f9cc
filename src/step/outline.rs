//! Outline: what a step is to the others of its scenario, before any of them is read.

use super::read::kind_named;
use super::{Kind, Outcome};
use crate::project::diagnostic::did_you_mean;
use crate::project::source::Name;
use crate::project::values::Capturing;
use crate::project::yaml::{Content, Entry, Node};

/// What others may call a step, and how it may end. What is wrong with it is told when it is read.
#[derive(Debug, Default)]
pub struct Outline {
    kind: Option<&'static Kind>,
    title: Option<String>,
    id: Option<String>,
    expects_error: bool,
    has_row: bool,
    /// What comes before its id elsewhere, and tells steps of one file from those of others.
    scope: String,
}

impl Outline {
    /// The outline of what a step is written as.
    pub fn of(node: &Node, scope: &str) -> Outline {
        let Content::Map(entries) = &node.content else { return Outline::default() };
        let value = |key: &str| entries.iter().skip(1).find(|entry| entry.key == key).map(|it| &it.value);
        let is_error = |node: &Node| match &node.content {
            Content::Map(entries) => entries.iter().any(|entry| entry.key == "error"),
            _ => false,
        };
        Outline {
            kind: entries.first().and_then(|first| kind_named(&first.key)),
            title: entries.first().and_then(|Entry { value, .. }| text(value)),
            id: value("id").and_then(text),
            expects_error: value("error").is_some() || value("expect").is_some_and(is_error),
            scope: scope.to_owned(),
            has_row: ["row", "value", "where"].iter().any(|key| value(key).is_some()),
        }
    }

    /// What others may take from its row, if it has an id.
    pub fn capturing(&self) -> Option<Capturing> {
        let id = format!("{}{}", self.scope, self.id.as_ref()?);
        Some(Capturing { id, has_row: self.has_row && !self.expects_error })
    }

    /// The number of the step that the one of number `at` calls so: its id, else its title. Both stand in one
    /// file.
    pub fn find(outlines: &[Outline], at: usize, name: &str) -> Option<usize> {
        let is_named = |it: &Outline, own: &Option<String>| {
            own.as_deref() == Some(name) && it.scope == outlines[at].scope
        };
        let by_id = outlines.iter().position(|outline| is_named(outline, &outline.id));
        by_id.or_else(|| outlines.iter().position(|outline| is_named(outline, &outline.title)))
    }

    /// Whether a step of number `at` calls it so.
    fn is_called(&self, name: &str, outlines: &[Outline], at: usize) -> bool {
        self.scope == outlines[at].scope && self.names().any(|own| own == name)
    }

    /// The number of the last step that comes before the one of number `at`, and that it calls so. A step of
    /// several cases is over with the last of them.
    pub fn find_before(outlines: &[Outline], at: usize, name: &Name) -> Result<usize, (String, String)> {
        let help = "name an earlier step by its id or title, or leave `since` out for the start".to_owned();
        let text = &name.text;
        let is_called = |outline: &Outline| outline.is_called(text, outlines, at);
        if is_called(&outlines[at]) {
            return Err(("a step cannot be compared with itself".to_owned(), help));
        }
        if let Some(before) = outlines[..at].iter().rposition(is_called) {
            return Ok(before);
        }
        if outlines[at..].iter().any(is_called) {
            return Err((format!("`{text}` comes later"), help));
        }
        let own = outlines[..at].iter().filter(|outline| outline.scope == outlines[at].scope);
        let near = did_you_mean(text, own.flat_map(Outline::names));
        Err((format!("no step is called `{text}`"), near.unwrap_or(help)))
    }

    /// What it is called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.id.iter().chain(&self.title).map(String::as_str)
    }

    /// How it may end.
    pub fn outcomes(&self) -> &'static [Outcome] {
        match self.kind {
            Some(_) if self.expects_error => &[Outcome::Refused],
            Some(kind) => kind.outcomes,
            None => &[],
        }
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar(text, _) => Some(text.clone()),
        _ => None,
    }
}
