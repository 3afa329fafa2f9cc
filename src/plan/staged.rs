//! The rows that became part of a statement, so that one the server refuses is found again.

use crate::project::source::Place;

/// The rows of one statement.
#[derive(Default)]
pub struct Staged {
    /// The tables they are meant for.
    pub tables: Vec<StagedTable>,
    /// Their values, those of references included.
    pub cells: Vec<Cell>,
    /// The author's own expressions in it.
    pub expressions: Vec<Expression>,
}

/// An expression of the author's that gives a column its value.
pub struct Expression {
    /// As written.
    pub sql: String,
    /// The column's type, without length or precision.
    pub type_name: String,
    /// Where it stands.
    pub place: Place,
    /// The column, like `employees.name`.
    pub what: String,
}

impl Staged {
    /// Adds a value that belongs to no row of a table.
    pub fn add(&mut self, text: &str, type_name: &str, place: Place, what: &str) {
        let (text, type_name, what) = (text.to_owned(), type_name.to_owned(), what.to_owned());
        self.cells.push(Cell { text, type_name, place, what, is_secret: false, owner: None });
    }
}

/// A table that rows are meant for.
pub struct StagedTable {
    /// Its name.
    pub name: String,
    /// Its name in SQL.
    pub sql: String,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// Whether a trigger fires when a row is inserted.
    pub has_trigger: bool,
    /// Where the author names it.
    pub place: Place,
    /// Where each row stands.
    pub rows: Vec<Place>,
}

/// A single value, staged in a list with others of its column.
pub struct Cell {
    /// The value as text.
    pub text: String,
    /// The column's type as declared, length and precision included.
    pub type_name: String,
    /// Where the author wrote it.
    pub place: Place,
    /// The column, like `employees.name`.
    pub what: String,
    /// Whether nobody is shown it.
    pub is_secret: bool,
    /// Whose it is; nobody's when it only names a parent row.
    pub owner: Option<Owner>,
}

/// The row that a cell belongs to.
pub struct Owner {
    /// Which of the staged tables.
    pub table: usize,
    /// Which of its rows, counted from 0.
    pub row: usize,
    /// Which of its columns.
    pub column: String,
}
