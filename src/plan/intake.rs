//! Intake: a file's rows on their way to the server, and what is done with them there.

use std::sync::Arc;

use super::Statement;
use super::fit::{Fit, Fitting};
use crate::project::bulk::csv::Record;
use crate::project::bulk::{Bulk, Pick};
use crate::project::diagnostic::Diagnostic;

/// A file whose rows are laid into a temporary table.
#[derive(Clone)]
pub struct Intake {
    /// The file.
    pub file: Arc<Bulk>,
    /// Which of its rows, and what of them.
    pub pick: Pick,
    /// What its columns have to be like, in its order.
    pub fittings: Arc<Vec<Fitting>>,
    /// What they are called in the temporary table.
    pub staged: Vec<String>,
    /// Makes the temporary table.
    pub create: String,
    /// Takes the rows into it.
    pub copy: String,
}

impl Intake {
    /// The file's column that the server calls so: by its name in the temporary table, or in the table itself.
    pub fn column(&self, name: &str) -> Option<usize> {
        let name = name.trim_matches('"');
        let is_staged = |staged: &String| staged == name;
        let own = |fitting: &Fitting| fitting.what.rsplit('.').next() == Some(name);
        self.staged.iter().position(is_staged).or_else(|| self.fittings.iter().position(own))
    }

    /// Looks at a row on its way: whether the server has to be asked about it, or what is wrong with it.
    pub fn look(&self, record: &Record) -> Result<bool, Diagnostic> {
        let mut is_doubtful = false;
        for (at, fitting) in self.fittings.iter().enumerate() {
            match fitting.look(record.text(at).as_deref()) {
                Fit::Fits => {}
                Fit::Doubtful => is_doubtful = true,
                Fit::Misfit(problem) => return Err(problem.at_place(record.place(at))),
            }
        }
        Ok(is_doubtful)
    }
}

/// A part of a batch of several statements: the rows of files that it needs, and what is asked of them.
pub struct Unit {
    /// The files.
    pub intakes: Vec<Intake>,
    /// The short way for one file alone, if there is one: fewer looks, and none at single rows. Where
    /// its counts do not add up, the statement tells why.
    pub short: Option<Short>,
    /// The statement.
    pub statement: Statement,
}

/// The short way of a file's rows into its table. It writes what the statement of its unit would, and is
/// for the server to do with whole tables at once.
pub struct Short {
    /// The number of the load.
    pub number: usize,
    /// Whether the table is left alone when it has rows.
    pub is_if_empty: bool,
    /// Whether triggers may make something else of what is written.
    pub has_trigger: bool,
    /// `(is_empty, may_copy)`: whether the table has no row, and whether COPY would do what INSERT does.
    pub table: String,
    /// COPY straight into the table, for one that has no row.
    pub straight: Option<String>,
    /// `(is_there)`: whether any of the first rows is in the table.
    pub sample: Statement,
    /// `(total, there, differing, unresolved, places)`: counts of all rows, and the places of those that
    /// differ, if they are few.
    pub compare: Statement,
    /// Inserts all rows whose references are resolved.
    pub insert_all: Statement,
    /// Inserts those of them that are not there.
    pub insert_new: Statement,
    /// `(updated, named)`: gives the rows that are there the values they lack, and counts the rows of the
    /// file that name one of these.
    pub update: Option<Statement>,
    /// The same, of the rows at the places that are its first parameter.
    pub update_at: Option<Statement>,
    /// Raises sequences above the values that were inserted.
    pub raise: Vec<String>,
}
