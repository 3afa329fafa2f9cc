//! The query's columns beside those that the expectation names.

use super::{Assert, Expected};
use crate::plan::description::{Column, Description};
use crate::project::diagnostic::{Diagnostic, count, did_you_mean, list};
use crate::project::source::{Place, Source};
use crate::project::yaml::Node;
use std::sync::Arc;

/// What is compared: the query's columns, and what is expected in each of them, row by row.
pub struct Compared<'a> {
    /// All columns of the query, in its order.
    pub columns: &'a [Column],
    /// The cells of every expected row, in that order.
    pub rows: Vec<Vec<&'a Node>>,
}

impl Assert {
    /// Pairs the query's columns with the expected ones: each is there, once, and no other is.
    pub(super) fn compared<'a>(
        &'a self,
        description: &'a Description,
        source: &Arc<Source>,
    ) -> Result<Compared<'a>, Vec<Diagnostic>> {
        let columns = &description.columns;
        let place = Place::new(source, self.expected_span);
        let rows = match &self.expected {
            Expected::Count(_) => return Ok(Compared { columns: &[], rows: Vec::new() }),
            Expected::Value(_) if columns.len() != 1 => {
                let message = format!(
                    "`value` is one column, and the query returns {}",
                    count(columns.len(), "column")
                );
                return Err(vec![Diagnostic::error(message).at_place(place).help("use `row` or `rows`")]);
            }
            Expected::Value(value) => return Ok(Compared { columns, rows: vec![vec![value]] }),
            Expected::Rows(rows, _) => rows,
        };
        let Some(first) = rows.first() else { return Ok(Compared { columns, rows: Vec::new() }) };
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let mut problems = Vec::new();
        for cell in first.cells.iter().filter(|cell| !names.contains(&cell.key.as_str())) {
            problems.push(
                Diagnostic::error(format!("the query returns no column `{}`", cell.key))
                    .at(source, cell.key_span)
                    .maybe_help(did_you_mean(&cell.key, names.iter().copied())),
            );
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                let message = format!("the query returns two columns `{name}`");
                let help = "give one of them another name: `… as …`";
                problems.push(Diagnostic::error(message).at_place(place.clone()).help(help));
            }
        }
        let unnamed = |name: &&&str| !first.cells.iter().any(|cell| cell.key == **name);
        let unnamed: Vec<&str> = names.iter().filter(unnamed).copied().collect();
        if !unnamed.is_empty() && problems.is_empty() {
            let also = list(&unnamed);
            let message = format!("the query also returns {also}, which the expectation does not name");
            let help = "select only what is compared, or name the column in every row";
            problems.push(Diagnostic::error(message).at_place(place).help(help));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let cells = |name: &&str, row: &'a crate::project::value::Row| {
            row.cells.iter().find(|cell| cell.key == *name).map(|cell| &cell.value)
        };
        let rows = rows.iter().map(|row| names.iter().filter_map(|name| cells(name, row)).collect());
        Ok(Compared { columns, rows: rows.collect() })
    }
}
