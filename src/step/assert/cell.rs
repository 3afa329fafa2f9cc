//! A cell as the text that the server reads by the type of the column it is compared with.

use crate::plan::description::{Kind, Type};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::Place;
use crate::project::value::{array_literal, json_text};
use crate::project::yaml::{Content, Node};

/// The text of a cell, by the same rule as in a fixture: the type decides what YAML means.
/// `None` is NULL. `what` is the column or parameter.
pub fn text(node: &Node, sql_type: &Type, what: &str, place: &Place) -> Result<Option<String>, Diagnostic> {
    let refused = |words: &str, help: &str| {
        let message = format!("`{what}` is of type {}, and {words}", sql_type.sql);
        let problem = Diagnostic::error(message).at_place(place.clone());
        Err(if help.is_empty() { problem } else { problem.help(help) })
    };
    match (&node.content, &sql_type.kind) {
        (Content::Null | Content::Empty, _) => Ok(None),
        (_, Kind::Json) => Ok(Some(json_text(node))),
        (Content::Scalar(text, _), _) => Ok(Some(text.clone())),
        (Content::List(items), Kind::Array(_)) => match array_literal(items) {
            Some(literal) => Ok(Some(literal)),
            None => refused("an array holds no maps", ""),
        },
        (Content::List(_), Kind::Range(_)) => {
            refused("here stands a list", "write a range in quotes: '[1,2)'")
        }
        (Content::List(_), _) => refused("here stands a list", "lists are for array and json columns"),
        (Content::Map(_), _) => refused("here stands a map", "maps are for json columns"),
    }
}
