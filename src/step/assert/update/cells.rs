//! Cells of a row that get another value, and rows that are written like those beside them.

use super::Refused;
use super::literal::{Literal, literal};
use crate::plan::description::Type;
use crate::project::edit::Edit;
use crate::project::extent::{Extent, Form, colon};
use crate::project::source::Span;
use crate::project::values::REF;
use crate::project::written;
use crate::project::yaml::{Content, Entry, Node};

/// What rows are written by.
pub struct Style<'a> {
    /// The file.
    pub text: &'a str,
    /// The columns of the query.
    pub names: &'a [String],
    /// Their types.
    pub types: &'a [Type],
}

impl Style<'_> {
    /// Gives cells of a row other values, and says what the row says then.
    pub fn change(
        &self,
        row: &Node,
        extent: &Extent,
        changed: &[(usize, Option<String>)],
        edits: &mut Vec<Edit>,
    ) -> Result<Node, Refused> {
        let mut wanted = row.clone();
        let Content::Map(entries) = &mut wanted.content else { return Err(elsewhere()) };
        for (column, text) in changed {
            let at = entries.iter().position(|entry| entry.key == self.names[*column]);
            let at = at.ok_or_else(elsewhere)?;
            let (entry, old) = (&mut entries[at], &extent.items[at]);
            let literal = literal_like(self.text, &entry.value, old, text.as_deref(), &self.types[*column])?;
            edits.push(replace(self.text, entry.key_span, old, &literal.text)?);
            entry.value = literal.node;
        }
        Ok(wanted)
    }

    /// The columns that a new row names, as the file writes them: those that the others do, else all.
    pub fn columns(&self, rows: &[Node]) -> Result<Vec<(String, String, usize)>, Refused> {
        let mut columns: Vec<(String, String, usize)> = Vec::new();
        for row in rows {
            let Content::Map(entries) = &row.content else { return Err(elsewhere()) };
            for entry in entries {
                if !columns.iter().any(|(name, ..)| *name == entry.key) {
                    let at = self.names.iter().position(|name| *name == entry.key).ok_or_else(elsewhere)?;
                    columns.push((entry.key.clone(), self.text[entry.key_span.range()].to_owned(), at));
                }
            }
        }
        if rows.is_empty() {
            for (at, name) in self.names.iter().enumerate() {
                if self.names[..at].contains(name) {
                    return Err(format!("the query returns two columns `{name}`"));
                }
                columns.push((name.clone(), written::write(name), at));
            }
        }
        Ok(columns)
    }

    /// The cells of a new row: keys as they are written, and values. Texts stand in quotes where those of
    /// the row beside it do.
    pub fn new_row(
        &self,
        columns: &[(String, String, usize)],
        texts: &[Option<String>],
        beside: Option<(&Node, &Extent)>,
    ) -> Result<(Vec<(String, Literal)>, Node), Refused> {
        let mut cells = Vec::new();
        let mut entries = Vec::new();
        for (name, key, at) in columns {
            let quote = beside.and_then(|(row, extent)| {
                let Content::Map(entries) = &row.content else { return None };
                let beside = entries.iter().position(|entry| entry.key == *name)?;
                quote(self.text, &extent.items[beside])
            });
            let literal = literal(texts[*at].as_deref(), &self.types[*at], quote).ok_or_else(unwritable)?;
            let (key_span, value) = (Span::default(), literal.node.clone());
            entries.push(Entry { key: name.clone(), key_span, value });
            cells.push((key.clone(), literal));
        }
        Ok((cells, Node { content: Content::Map(entries), span: Span::default() }))
    }
}

/// A value written like the one that stands there.
pub fn literal_like(
    file: &str,
    old: &Node,
    extent: &Extent,
    text: Option<&str>,
    sql_type: &Type,
) -> Result<Literal, Refused> {
    if is_named(old) {
        return Err("its value has a name (`$ref`), and is said elsewhere".to_owned());
    }
    literal(text, sql_type, quote(file, extent)).ok_or_else(unwritable)
}

/// The edit that puts a value in place of the one under a key.
pub fn replace(file: &str, key: Span, old: &Extent, by: &str) -> Result<Edit, Refused> {
    match old.form {
        // What is told apart by indentation ends with it.
        Form::Block => {
            let from = colon(file, key).ok_or_else(elsewhere)? + 1;
            Ok(Edit::new(from..old.range.end, format!(" {by}")))
        }
        _ => Ok(Edit::new(old.range.clone(), by)),
    }
}

/// A row between brackets.
pub fn flow(cells: &[(String, Literal)], is_spaced: bool) -> String {
    let cells: Vec<String> = cells.iter().map(|(key, value)| format!("{key}: {}", value.text)).collect();
    match is_spaced {
        true => format!("{{ {} }}", cells.join(", ")),
        false => format!("{{{}}}", cells.join(", ")),
    }
}

fn quote(file: &str, extent: &Extent) -> Option<char> {
    let first = file[extent.range.clone()].chars().next()?;
    (extent.form == Form::Scalar && matches!(first, '\'' | '"')).then_some(first)
}

fn is_named(node: &Node) -> bool {
    match &node.content {
        Content::List(items) => items.iter().any(is_named),
        Content::Map(entries) => entries.iter().any(|entry| entry.key == REF || is_named(&entry.value)),
        _ => false,
    }
}

fn elsewhere() -> Refused {
    "its rows are not written as maps of columns".to_owned()
}

fn unwritable() -> Refused {
    "a value that came back cannot be written in YAML".to_owned()
}
