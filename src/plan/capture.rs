//! Capture: the row that a step is about, as later steps refer to it.

use super::{Answer, Statement};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::source::{Place, Span};
use crate::project::values::Captured;
use crate::project::yaml::{Content, Entry, Node, Scalar};

/// A statement that returns the row that a step is about, for those behind it.
pub struct Capture {
    /// What is sent, in the transaction of the step.
    pub statement: Statement,
    /// The columns of what it returns, and what they hold.
    pub columns: Vec<(String, Held)>,
    /// Whether it is sent before the step has done its work, which is to delete the row.
    pub is_before: bool,
    /// What tells which row it is.
    pub place: Place,
}

/// What a column holds, as far as it matters inside of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// JSON.
    Json,
    /// Anything else, and what YAML would take it for.
    Plain(Scalar),
}

impl Held {
    /// What a type holds, by its name in the catalog or in SQL.
    pub fn of(type_name: &str) -> Held {
        match type_name {
            "json" | "jsonb" => Held::Json,
            "bool" | "boolean" => Held::Plain(Scalar::Bool),
            "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" | "smallint" | "integer"
            | "bigint" | "real" | "double precision" => Held::Plain(Scalar::Number),
            _ => Held::Plain(Scalar::Text),
        }
    }

    /// A value that the server has written, as a value that it is given again.
    pub fn value(self, text: Option<&str>) -> Content {
        let scalar = |text: &str, kind| Content::Scalar(text.to_owned(), kind);
        match (text, self) {
            (None, _) => Content::Null,
            (Some(text), Held::Plain(kind)) => scalar(text, kind),
            (Some(text), Held::Json) => Content::Map(vec![Entry {
                key: "$json".to_owned(),
                key_span: Span::default(),
                value: Node { content: scalar(text, Scalar::Text), span: Span::default() },
            }]),
        }
    }
}

impl Capture {
    /// The row; a problem where several may be meant. No row is none.
    pub fn read(&self, answer: &Answer) -> Result<Option<Captured>, Diagnostic> {
        let row = match answer.as_slice() {
            [] => return Ok(None),
            [row] => row,
            rows => {
                let found = count(rows.len(), "row");
                let message = format!("{found} may be the one that other steps refer to");
                return Err(Diagnostic::error(message).at_place(self.place.clone()).help(
                    "name columns that tell it apart: in `key`, or in `where`; or leave out the step's `id`",
                ));
            }
        };
        let cells = self.columns.iter().zip(row);
        Ok(Some(cells.map(|((name, held), text)| (name.clone(), held.value(text.as_deref()))).collect()))
    }
}
