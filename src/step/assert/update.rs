//! Update: an expectation that does not hold, written anew where it stands in its file.
//!
//! What is as expected keeps its bytes, its comments included; a cell that differs gets the value that came,
//! and rows come and go in the style of those around them. In the end the file is read once more: where it
//! does not say exactly what it should, nothing of it is kept.

mod brackets;
mod cells;
mod literal;
mod pipes;
mod rows;

use std::sync::Arc;

use super::revision::{Renewed, Revision};
use crate::plan::description::{Kind, Type};
use crate::project::diagnostic::Diagnostic;
use crate::project::edit::{self, Edit};
use crate::project::extent::{Extent, colon, extent};
use crate::project::pipe;
use crate::project::reading::Reading;
use crate::project::source::{Source, Span};
use crate::project::value::json_text;
use crate::project::yaml::{self, Content, Entry, Node};

/// What cannot be written anew, and why.
pub type Refused = String;

/// The edits by which the expectation under a key of the file says what came back.
pub fn edits(source: &Arc<Source>, key: Span, revision: &Revision) -> Result<Vec<Edit>, Refused> {
    let file = yaml::parse(source).map_err(|problem| problem.message)?;
    let (path, value) = find(&file, key)?;
    let sheet = Sheet { source, text: &source.text, key, value, path, file: &file };
    let mut refused = None;
    for (edits, wanted) in sheet.ways(revision)? {
        match sheet.check(&edits, &wanted, matches!(revision, Revision::Rows { .. })) {
            Ok(()) => return Ok(edits),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| "there is no way to write it".to_owned()))
}

/// Edits, and what must be read after them.
type Way = (Vec<Edit>, Vec<Node>);

/// An expectation as it is written.
struct Sheet<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
    key: Span,
    value: &'a Node,
    /// How to come to it from the root of the file.
    path: Vec<usize>,
    file: &'a Node,
}

impl Sheet<'_> {
    /// The ways to write it anew, the best one first.
    fn ways(&self, revision: &Revision) -> Result<Vec<Way>, Refused> {
        let (names, types, renewed) = match revision {
            Revision::Rows { names, types, rows } => (names, types, rows),
            Revision::Count(count) => {
                let number = Type { sql: "int8".to_owned(), kind: Kind::Plain };
                return self.only(Some(&count.to_string()), &number);
            }
            Revision::Value { text, sql_type } => return self.only(text.as_deref(), sql_type),
        };
        let style = cells::Style { text: self.text, names, types };
        match &self.value.content {
            Content::List(items) => {
                let list = self.extent()?;
                rows::ways(self.text, &style, (self.key, items, &list), renewed)
            }
            Content::Scalar(text, _) => {
                let rows = self.piped(self.source, text, self.value.span)?;
                let lines = pipe::drawn(self.text, text, self.value.span);
                Ok(vec![pipes::way(&style, &rows, &lines, renewed)?])
            }
            Content::Map(_) => {
                let map = self.extent()?;
                let mut edits = Vec::new();
                let wanted = match renewed.as_slice() {
                    [Renewed::Changed(_, changed)] => style.change(self.value, &map, changed, &mut edits)?,
                    _ => return Err("what came back is not one row".to_owned()),
                };
                Ok(vec![(edits, vec![wanted])])
            }
            Content::Null | Content::Empty => Err("nothing is written there".to_owned()),
        }
    }

    /// A single value in place of what is written.
    fn only(&self, text: Option<&str>, sql_type: &Type) -> Result<Vec<Way>, Refused> {
        let old = self.extent()?;
        let literal = cells::literal_like(self.text, self.value, &old, text, sql_type)?;
        let edit = cells::replace(self.text, self.key, &old, &literal.text)?;
        Ok(vec![(vec![edit], vec![literal.node])])
    }

    fn extent(&self) -> Result<Extent, Refused> {
        let from = colon(self.text, self.key).map(|at| at + 1);
        let found = from.and_then(|from| extent(self.text, self.value, from));
        found.ok_or_else(|| "it is written with anchors, or in a way that is not understood here".to_owned())
    }

    fn piped(&self, source: &Arc<Source>, text: &str, span: Span) -> Result<Vec<Node>, Refused> {
        let mut problems: Vec<Diagnostic> = Vec::new();
        let rows = pipe::rows(&mut Reading::new(source, &mut problems), text, span);
        match problems.into_iter().next() {
            Some(problem) => Err(problem.message),
            None => Ok(rows),
        }
    }

    /// Whether the file with these edits says what is wanted, and else what it said before.
    fn check(&self, edits: &[Edit], wanted: &[Node], are_rows: bool) -> Result<(), Refused> {
        let refused = || "the file would not be read as what came back".to_owned();
        let text = edit::apply(self.text, edits).ok_or_else(refused)?;
        let source = Source::new(self.source.path.clone(), text);
        let file = yaml::parse(&source).map_err(|_| refused())?;
        let value = differs_at(self.file, &file, &self.path).ok_or_else(refused)?;
        let read = match (&value.content, &self.value.content) {
            (Content::Scalar(text, _), Content::Scalar(..)) if are_rows => {
                self.piped(&source, text, value.span)?
            }
            (Content::List(items), Content::List(_)) if are_rows => items.clone(),
            _ => vec![value.clone()],
        };
        let is_wanted = read.len() == wanted.len() && read.iter().zip(wanted).all(|(a, b)| is_same(a, b));
        is_wanted.then_some(()).ok_or_else(refused)
    }
}

/// The value under the key of that place, and the way to it.
fn find(file: &Node, key: Span) -> Result<(Vec<usize>, &Node), Refused> {
    fn search<'n>(node: &'n Node, key: Span, path: &mut Vec<usize>, found: &mut Vec<(Vec<usize>, &'n Node)>) {
        let children: Vec<&Node> = match &node.content {
            Content::List(items) => items.iter().collect(),
            Content::Map(entries) => {
                if let Some(at) = entries.iter().position(|entry| entry.key_span == key) {
                    found.push((path.iter().copied().chain([at]).collect(), &entries[at].value));
                    return;
                }
                entries.iter().map(|entry| &entry.value).collect()
            }
            _ => return,
        };
        for (at, child) in children.into_iter().enumerate() {
            path.push(at);
            search(child, key, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    search(file, key, &mut Vec::new(), &mut found);
    match (found.pop(), found.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(_), false) => Err("it is written once and used more than once".to_owned()),
        (None, _) => Err("it does not stand in this file".to_owned()),
    }
}

/// What stands at the end of a path in the second of two files, which are the same everywhere else.
fn differs_at<'n>(old: &Node, new: &'n Node, path: &[usize]) -> Option<&'n Node> {
    let Some((at, rest)) = path.split_first() else { return Some(new) };
    match (&old.content, &new.content) {
        (Content::List(old), Content::List(new)) if old.len() == new.len() => {
            let mut others = old.iter().zip(new).enumerate().filter(|(other, _)| other != at);
            others.all(|(_, (a, b))| is_same(a, b)).then_some(())?;
            differs_at(old.get(*at)?, new.get(*at)?, rest)
        }
        (Content::Map(old), Content::Map(new)) if old.len() == new.len() => {
            old.iter().zip(new).all(|(a, b)| a.key == b.key).then_some(())?;
            let mut others = old.iter().zip(new).enumerate().filter(|(other, _)| other != at);
            others.all(|(_, (a, b))| is_same(&a.value, &b.value)).then_some(())?;
            differs_at(&old.get(*at)?.value, &new.get(*at)?.value, rest)
        }
        _ => None,
    }
}

/// Whether two nodes say the same, wherever they stand.
fn is_same(a: &Node, b: &Node) -> bool {
    match (&a.content, &b.content) {
        (Content::Scalar(one, _), Content::Scalar(other, _)) => one == other && json_text(a) == json_text(b),
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Content::Map(a), Content::Map(b)) => {
            let is_same = |(a, b): (&Entry, &Entry)| a.key == b.key && is_same(&a.value, &b.value);
            a.len() == b.len() && a.iter().zip(b).all(is_same)
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests;
