//! The query's columns beside those that the expectation names.

use std::sync::Arc;

use super::expected::Expected;
use super::{Assert, text_type};
use crate::plan::description::{Column, Description, Type};
use crate::project::diagnostic::{Diagnostic, count, did_you_mean, list};
use crate::project::source::{Place, Source};
use crate::project::value::Row;
use crate::project::yaml::Node;

/// What is compared: the query's columns, and what is expected in each of them, row by row.
pub struct Compared<'a> {
    /// All columns of the query, in its order.
    pub columns: &'a [Column],
    /// The type that the values of each column are compared as.
    pub types: Vec<Type>,
    /// The cells of every expected row, in that order; nothing where a row does not name the column.
    pub rows: Vec<Vec<Option<&'a Node>>>,
    /// The columns of the author's key.
    pub key: Vec<usize>,
}

impl Assert {
    /// Pairs the query's columns with the expected ones: each is there, once, and, unless the rows are
    /// partial, no other is.
    pub(super) fn compared<'a>(
        &'a self,
        description: &'a Description,
        source: &Arc<Source>,
    ) -> Result<Compared<'a>, Vec<Diagnostic>> {
        let columns = &description.columns;
        let types = columns.iter().map(|column| match self.is_text {
            true => text_type(),
            false => column.sql_type.clone(),
        });
        let mut compared = Compared { columns, types: types.collect(), rows: Vec::new(), key: Vec::new() };
        let place = Place::new(source, self.expected_span);
        let rows = match &self.expected {
            Expected::Count(_) => return Ok(Compared { columns: &[], ..compared }),
            Expected::Value(_) if columns.len() != 1 => {
                let message = format!(
                    "`value` is one column, and the query returns {}",
                    count(columns.len(), "column")
                );
                return Err(vec![Diagnostic::error(message).at_place(place).help("use `row` or `rows`")]);
            }
            Expected::Value(value) => return Ok(Compared { rows: vec![vec![Some(value)]], ..compared }),
            Expected::Rows(rows) => rows,
        };
        if rows.rows.is_empty() {
            return Ok(compared);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let problems = unlike(&names, &rows.rows, rows.is_partial, source, &place);
        if !problems.is_empty() {
            return Err(problems);
        }
        compared.rows = rows.rows.iter().map(|row| cells(&names, row)).collect();
        let at = |name: &str| names.iter().position(|known| *known == name);
        compared.key = rows.key.iter().filter_map(|name| at(&name.text)).collect();
        Ok(compared)
    }
}

/// What is wrong with the columns that rows name.
fn unlike(
    names: &[&str],
    rows: &[Row],
    is_partial: bool,
    source: &Arc<Source>,
    place: &Place,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    // Where rows are not partial, all of them name the same.
    let looked_at = if is_partial { rows } else { &rows[..1] };
    for cell in looked_at.iter().flat_map(|row| &row.cells).filter(|it| !names.contains(&it.key.as_str())) {
        problems.push(
            Diagnostic::error(format!("the query returns no column `{}`", cell.key))
                .at(source, cell.key_span)
                .maybe_help(did_you_mean(&cell.key, names.iter().copied())),
        );
    }
    let is_named = |name: &str| looked_at.iter().any(|row| row.cells.iter().any(|cell| cell.key == name));
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) && (!is_partial || is_named(name)) {
            let message = format!("the query returns two columns `{name}`");
            let help = "give one of them another name: `… as …`";
            problems.push(Diagnostic::error(message).at_place(place.clone()).help(help));
        }
    }
    let unnamed: Vec<&str> = names.iter().filter(|name| !is_named(name)).copied().collect();
    if !is_partial && !unnamed.is_empty() && problems.is_empty() {
        let also = list(&unnamed);
        let message = format!("the query also returns {also}, which the expectation does not name");
        let help = "select only what is compared, name the column in every row, or write `columns: partial`";
        problems.push(Diagnostic::error(message).at_place(place.clone()).help(help));
    }
    problems
}

/// The cells of a row by the query's columns.
fn cells<'a>(names: &[&str], row: &'a Row) -> Vec<Option<&'a Node>> {
    let mut cells = vec![None; names.len()];
    for (written, cell) in row.cells.iter().enumerate() {
        // Most rows name the columns in the query's order.
        let at = match names.get(written) {
            Some(name) if *name == cell.key => Some(written),
            _ => names.iter().position(|name| *name == cell.key),
        };
        if let Some(at) = at {
            cells[at] = Some(&cell.value);
        }
    }
    cells
}
