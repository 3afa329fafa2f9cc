//! A cell as the text that the server reads by its column's type.

use std::sync::Arc;

use super::catalog::Column;
use super::fit::{ambiguous_date, is_ambiguous_date};
use super::float;
use crate::project::diagnostic::Diagnostic;
use crate::project::source::Source;
use crate::project::value::{array_literal, is_json_instruction, json_text};
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
            fits(column, node, source)?;
            Ok(Some(text.clone()))
        }
        Content::List(_) | Content::Map(_) if column.is_json() => Ok(Some(json_text(node))),
        Content::List(items) if column.is_array => match array_literal(items) {
            Some(literal) => {
                items.iter().try_for_each(|item| fits(column, item, source))?;
                Ok(Some(literal))
            }
            None => at(Diagnostic::error(format!("{named}, and an array holds no maps"))),
        },
        Content::List(_) => at(Diagnostic::error(format!("{named}, and here stands a list"))
            .help("lists are for array and json columns")),
        Content::Map(_) if is_json_instruction(node) => {
            at(Diagnostic::error(format!("{named}, and `$json` is for json columns")))
        }
        Content::Map(_) => at(Diagnostic::error(format!("{named}, and here stands a map"))
            .help("maps are for json columns, and for columns with a foreign key")),
        Content::Empty => at(Diagnostic::error(format!("`{}` has no value", column.name))),
    }
}

/// Refuses a text that is too long, and a number that a floating-point type would change. What else
/// a type may cut or round, the server finds out.
fn fits(column: &Column, node: &Node, source: &Arc<Source>) -> Result<(), Diagnostic> {
    let text = match &node.content {
        Content::Scalar(text, _) => text,
        Content::List(items) => return items.iter().try_for_each(|item| fits(column, item, source)),
        _ => return Ok(()),
    };
    let element = column.type_name.trim_end_matches("[]");
    // The blanks behind a `char(n)` are none of its value.
    let kept = if element == "bpchar" { text.trim_end_matches(' ') } else { text };
    let length = kept.chars().count();
    if column.length_max.is_some_and(|most| length > most) {
        let named = format!("`{}` is of type {}", column.name, column.exactly());
        return Err(
            Diagnostic::error(format!("{named}, and this has {length} characters")).at(source, node.span)
        );
    }
    let is_date = matches!(element, "date" | "timestamp without time zone" | "timestamp with time zone");
    if is_date && is_ambiguous_date(text) {
        return Err(ambiguous_date(text).at(source, node.span));
    }
    let changed = match element {
        "real" => float::changed(text, true),
        "double precision" => float::changed(text, false),
        _ => None,
    };
    match changed {
        Some(changed) => Err(inexact(text, &column.exactly(), &changed).at(source, node.span)),
        None => Ok(()),
    }
}

/// The words for a value that its type would change.
pub fn inexact(text: &str, exactly: &str, changed: &str) -> Diagnostic {
    Diagnostic::error(format!(
        "`{text}` is not exactly representable as {exactly}: it would become {changed}"
    ))
}
