//! A cell as the text that the server reads by its column's type.

use std::sync::Arc;

use super::catalog::Column;
use super::fit::{ambiguous_date, foreign_number, is_ambiguous_date};
use super::float;
use crate::project::diagnostic::Diagnostic;
use crate::project::instruction;
use crate::project::source::Source;
use crate::project::value::{array_literal, json_text};
use crate::project::yaml::{Content, Node};

/// The text of a cell, `None` for NULL.
///
/// Fails for what no column of the type takes, and for values that the type would cut.
pub fn text(column: &Column, node: &Node, source: &Arc<Source>) -> Result<Option<String>, Diagnostic> {
    let at = |problem: Diagnostic| Err(problem.at(source, node.span));
    let named = format!("`{}` is of type {}", column.name, column.declared);
    match &node.content {
        Content::Null => Ok(None),
        Content::Scalar(_, _) if column.is_json() => Ok(Some(json_text(node))),
        Content::Scalar(text, _) => {
            fits(column, text, false).map_err(|problem| problem.at(source, node.span))?;
            Ok(Some(text.clone()))
        }
        Content::List(_) | Content::Map(_) if column.is_json() => match instruction::nested(node) {
            None => Ok(Some(json_text(node))),
            Some(entry) => Err(Diagnostic::error(format!("`{}` stands inside of JSON", entry.key))
                .at(source, entry.key_span)
                .help("give it a column of its own; inside of JSON `$json` is understood alone")),
        },
        Content::List(items) if column.is_array => match array_literal(items) {
            Some(literal) => {
                fit(column, items, source)?;
                Ok(Some(literal))
            }
            None => at(Diagnostic::error(format!("{named}, and an array holds no maps"))),
        },
        Content::List(_) => at(Diagnostic::error(format!("{named}, and here stands a list"))
            .help("lists are for array and json columns")),
        Content::Map(_) => at(Diagnostic::error(format!("{named}, and here stands a map"))
            .help("maps are for json columns, and for columns with a foreign key")),
        Content::Empty => at(Diagnostic::error(format!("`{}` has no value", column.name))),
    }
}

fn fit(column: &Column, items: &[Node], source: &Arc<Source>) -> Result<(), Diagnostic> {
    items.iter().try_for_each(|item| match &item.content {
        Content::Scalar(text, _) => {
            fits(column, text, false).map_err(|problem| problem.at(source, item.span))
        }
        Content::List(items) => fit(column, items, source),
        _ => Ok(()),
    })
}

/// Refuses a text that is too long, and a number that a floating-point type would change. What else
/// a type may cut or round, the server finds out.
pub fn fits(column: &Column, text: &str, is_secret: bool) -> Result<(), Diagnostic> {
    let element = column.type_name.trim_end_matches("[]");
    // The blanks behind a `char(n)` are none of its value.
    let kept = if element == "bpchar" { text.trim_end_matches(' ') } else { text };
    let length = kept.chars().count();
    if column.length_max.is_some_and(|most| length > most) {
        let named = format!("`{}` is of type {}", column.name, column.exactly());
        return Err(Diagnostic::error(format!("{named}, and this has {length} characters")));
    }
    let is_date = matches!(element, "date" | "timestamp without time zone" | "timestamp with time zone");
    if is_date && is_ambiguous_date(text) {
        return Err(ambiguous_date(if is_secret { "***" } else { text }));
    }
    if let Some(problem) = foreign_number(element, text).filter(|_| !is_secret) {
        return Err(problem);
    }
    let changed = match element {
        "real" => float::changed(text, true),
        "double precision" => float::changed(text, false),
        _ => None,
    };
    match changed {
        Some(_) if is_secret => Err(inexact_secret(&column.exactly())),
        Some(changed) => Err(inexact(text, &column.exactly(), &changed)),
        None => Ok(()),
    }
}

/// The words for a value that its type would change, and that nobody is shown.
pub fn inexact_secret(exactly: &str) -> Diagnostic {
    Diagnostic::error(format!("the value of this variable is not exactly representable as {exactly}"))
}

/// The words for a value that its type would change.
pub fn inexact(text: &str, exactly: &str, changed: &str) -> Diagnostic {
    Diagnostic::error(format!(
        "`{text}` is not exactly representable as {exactly}: it would become {changed}"
    ))
}
