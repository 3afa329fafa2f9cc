//! From the cells an author wrote to the columns they mean: plain values, and references to rows
//! of parent tables by their natural key.

mod instructed;

use std::sync::Arc;

use super::catalog::{Catalog, Column, ForeignKey, Table};
use super::cell;
use crate::project::diagnostic::{Diagnostic, did_you_mean, list};
use crate::project::instruction::{self, Instruction};
use crate::project::outside::Outside;
use crate::project::source::{Name, Place, Source, Span};
use crate::project::yaml::{Content, Entry};

/// What one cell gives a value to.
#[derive(Debug, Clone)]
pub enum Target<'c> {
    /// A column, by value. `None` is NULL.
    Plain { table: &'c Table, column: &'c Column, text: Option<String>, origin: Origin, place: Place },
    /// A column, by what the server makes of an expression when a row is new; of its own default where there
    /// is none.
    Made { table: &'c Table, column: &'c Column, sql: Option<String>, place: Place },
    /// The columns of a foreign key, by the parent row that has these values.
    Reference { table: &'c Table, foreign_key: &'c ForeignKey, lookup: Lookup<'c>, place: Place },
}

/// Where a plain value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file says it.
    Written,
    /// It is this time and an interval, which is the text.
    Moment(Arc<str>),
    /// A variable of the environment: nobody is shown it.
    Environment,
}

/// A row of a parent table, named by some of its columns.
#[derive(Debug, Clone)]
pub struct Lookup<'c> {
    /// The parent.
    pub parent: &'c Table,
    /// What its row must have.
    pub targets: Vec<Target<'c>>,
}

impl Target<'_> {
    /// The columns it gives a value to.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Target::Plain { column, .. } | Target::Made { column, .. } => vec![&column.name],
            Target::Reference { foreign_key, .. } => foreign_key.columns.iter().map(String::as_str).collect(),
        }
    }

    /// Where the author wrote the value.
    pub fn place(&self) -> &Place {
        match self {
            Target::Plain { place, .. } | Target::Made { place, .. } | Target::Reference { place, .. } => {
                place
            }
        }
    }

    /// Its structure without its values: targets of the same shape can share one statement.
    pub fn shape(&self) -> String {
        match self {
            Target::Plain { column, origin: Origin::Written, .. } => column.name.clone(),
            Target::Plain { column, origin: Origin::Moment(_), .. } => format!("{} $now", column.name),
            Target::Plain { column, origin: Origin::Environment, .. } => format!("{} $env", column.name),
            Target::Made { column, sql, .. } => format!("{} $sql {sql:?}", column.name),
            Target::Reference { foreign_key, lookup, .. } => {
                let inner: Vec<String> = lookup.targets.iter().map(Target::inner_shape).collect();
                format!("{}>({})", foreign_key.name, inner.join(","))
            }
        }
    }

    /// The word of the instruction whose value is of the moment: it is for new rows, and not compared.
    pub fn volatile(&self) -> Option<&'static str> {
        match self {
            Target::Plain { origin: Origin::Moment(_), .. } => Some("$now"),
            Target::Plain { origin: Origin::Environment, .. } => Some("$env"),
            Target::Made { sql: Some(_), .. } => Some("$sql"),
            _ => None,
        }
    }

    /// Whether it leaves the column to its own default.
    pub fn is_default(&self) -> bool {
        matches!(self, Target::Made { sql: None, .. })
    }

    /// Whether it is a value that nobody is shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Target::Plain { origin: Origin::Environment, .. })
    }

    /// NULL is looked for in another way than a value.
    fn inner_shape(&self) -> String {
        match self {
            Target::Plain { text: None, .. } => format!("{}=null", self.shape()),
            _ => self.shape(),
        }
    }
}

/// Resolves names and cells against one catalog, for one file.
#[derive(Clone, Copy)]
pub struct Resolver<'c, 's> {
    /// The tables.
    pub catalog: &'c Catalog,
    /// The file the names stand in.
    pub source: &'s Arc<Source>,
    /// What instructions ask for.
    pub outside: &'s Outside,
}

impl<'c> Resolver<'c, '_> {
    /// The table of a name, or a diagnostic that offers near names.
    pub fn table(&self, name: &Name) -> Result<&'c Table, Diagnostic> {
        self.catalog.table(&name.text).ok_or_else(|| {
            Diagnostic::error(format!("there is no table `{}`", name.text))
                .at(self.source, name.span)
                .maybe_help(did_you_mean(&name.text, self.catalog.known.iter().map(String::as_str)))
        })
    }

    /// What a row's cells give values to. Every problem is noted.
    pub fn targets(
        &self,
        table: &'c Table,
        cells: &[Entry],
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Target<'c>> {
        let mut targets: Vec<Target<'c>> = Vec::with_capacity(cells.len());
        for cell in cells {
            let given = match self.given(table, cell) {
                Ok(given) => given,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let columns: Vec<&str> = given.iter().flat_map(Target::columns).collect();
            let twice =
                targets.iter().find(|earlier| earlier.columns().iter().any(|own| columns.contains(own)));
            if let Some(earlier) = twice {
                problems.push(
                    Diagnostic::error(format!("`{}` is given twice in one row", columns.join(", ")))
                        .at(self.source, cell.key_span)
                        .context(earlier.place().span, "first here"),
                );
            }
            targets.extend(given);
        }
        targets
    }

    /// The columns that names of a key mean: a column, or the columns of a reference.
    pub fn key_columns(&self, table: &'c Table, names: &[Name]) -> Result<Vec<&'c str>, Diagnostic> {
        let mut columns = Vec::new();
        for name in names {
            if let Some(column) = table.column(&name.text) {
                columns.push(column.name.as_str());
            } else {
                let foreign_key = self.short_reference(table, &name.text, name.span)?;
                columns.extend(foreign_key.columns.iter().map(String::as_str));
            }
        }
        Ok(columns)
    }

    /// What a cell gives values to: one column or reference, or all columns of a reference to nothing.
    fn given(&self, table: &'c Table, cell: &Entry) -> Result<Vec<Target<'c>>, Diagnostic> {
        let place = Place::new(self.source, cell.value.span);
        let Some(column) = table.column(&cell.key) else {
            let foreign_key = self.short_reference(table, &cell.key, cell.key_span)?;
            if cell.value.content == Content::Null {
                let columns = foreign_key.columns.iter().filter_map(|name| table.column(name));
                let origin = Origin::Written;
                let null = |column| Target::Plain {
                    table,
                    column,
                    text: None,
                    origin: origin.clone(),
                    place: place.clone(),
                };
                return Ok(columns.map(null).collect());
            }
            return Ok(vec![self.reference(table, foreign_key, cell, place)?]);
        };
        if column.generated {
            return Err(Diagnostic::error(format!(
                "`{}` is a generated column: the server computes it",
                cell.key
            ))
            .at(self.source, cell.key_span)
            .help("leave it out"));
        }
        match Instruction::of(&cell.value) {
            Some(Instruction::Json) if column.is_json() => {}
            Some(instruction) => {
                let entry = instruction::entry(&cell.value).map_or(cell, |entry| entry);
                let place = Place::new(self.source, entry.value.span);
                return Ok(vec![self.instructed(table, column, instruction, place)?]);
            }
            None => {}
        }
        let foreign_key = table.foreign_keys.iter().rev().find(|key| key.columns == [cell.key.as_str()]);
        match (&cell.value.content, foreign_key) {
            (Content::Map(_), Some(foreign_key)) if Instruction::of(&cell.value).is_none() => {
                Ok(vec![self.reference(table, foreign_key, cell, place)?])
            }
            _ => {
                let text = cell::text(column, &cell.value, self.source)?;
                Ok(vec![Target::Plain { table, column, text, origin: Origin::Written, place }])
            }
        }
    }

    /// `department: …` when there is no such column: the one foreign key whose column is
    /// `department_id`, or whose constraint has that name.
    fn short_reference(
        &self,
        table: &'c Table,
        written: &str,
        span: Span,
    ) -> Result<&'c ForeignKey, Diagnostic> {
        let meant = |key: &&ForeignKey| {
            let by_column = key.columns.len() == 1
                && key.columns[0]
                    .strip_prefix(written)
                    .is_some_and(|rest| matches!(rest, "_id" | "Id" | "id"));
            by_column || key.name == written
        };
        let mut matching = table.foreign_keys.iter().filter(meant);
        match (matching.next(), matching.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(Diagnostic::error(format!(
                "`{written}` may mean several foreign keys of `{}`",
                table.name
            ))
            .at(self.source, span)
            .help("name the column instead, with a map: `column: {key: value}`")),
            (None, _) => {
                let names = table.columns.iter().map(|column| column.name.as_str());
                let short = table.foreign_keys.iter().filter(|key| key.columns.len() == 1);
                let short = short.filter_map(|key| key.columns[0].strip_suffix("_id"));
                Err(Diagnostic::error(format!("table `{}` has no column `{written}`", table.name))
                    .at(self.source, span)
                    .maybe_help(did_you_mean(written, names.chain(short))))
            }
        }
    }

    fn reference(
        &self,
        table: &'c Table,
        foreign_key: &'c ForeignKey,
        cell: &Entry,
        place: Place,
    ) -> Result<Target<'c>, Diagnostic> {
        let at = |problem: Diagnostic| problem.at(self.source, cell.value.span);
        let Some(parent) = self.catalog.table_by_oid(foreign_key.parent) else {
            return Err(at(Diagnostic::error(format!(
                "the table behind `{}` is not visible",
                foreign_key.name
            ))));
        };
        let instruction = Instruction::of(&cell.value);
        let cells = match (&cell.value.content, &instruction) {
            (Content::Map(entries), None) => entries.clone(),
            (_, Some(Instruction::Uuid(_))) if foreign_key.parent_columns.len() == 1 => {
                let key = foreign_key.parent_columns[0].clone();
                vec![Entry { key, key_span: cell.key_span, value: cell.value.clone() }]
            }
            _ => {
                let key = self.single_column_key(parent, foreign_key).map_err(at)?;
                vec![Entry { key: key.to_owned(), key_span: cell.key_span, value: cell.value.clone() }]
            }
        };
        let mut problems = Vec::new();
        let targets = self.targets(parent, &cells, &mut problems);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        let refused = targets.iter().find_map(|target| match target {
            Target::Made { sql: None, .. } => Some("$default"),
            Target::Made { .. } | Target::Plain { origin: Origin::Moment(_), .. } => target.volatile(),
            _ => None,
        });
        if let Some(word) = refused {
            let problem = Diagnostic::error(format!("`{word}` names no row of `{}`", parent.name));
            let help =
                format!("for the value itself name the column: `{}: …`", foreign_key.columns.join(", "));
            return Err(at(problem.help(help)));
        }
        if targets.is_empty() {
            return Err(at(Diagnostic::error(format!("the reference to `{}` says nothing", parent.name))));
        }
        Ok(Target::Reference { table, foreign_key, lookup: Lookup { parent, targets }, place })
    }

    /// The one column that names a row of a parent in the short form: a unique key other than the
    /// column that the foreign key refers to, or that one if there is no other.
    fn single_column_key(&self, parent: &'c Table, foreign_key: &ForeignKey) -> Result<&'c str, Diagnostic> {
        let keys =
            parent.natural_keys().filter(|key| key.columns.len() == 1).map(|key| key.columns[0].as_str());
        let (referred, other): (Vec<&str>, Vec<&str>) =
            keys.partition(|key| foreign_key.parent_columns == [*key]);
        let keys = if other.is_empty() { referred } else { other };
        match keys.as_slice() {
            [only] => Ok(only),
            [] => Err(Diagnostic::error(format!(
                "`{}` has no unique key of one column to name its rows by",
                parent.name
            ))
            .help("write a map of columns that name one row: `{column: value, …}`")),
            several => Err(Diagnostic::error(format!(
                "`{}` has several unique keys: {}",
                parent.name,
                list(several)
            ))
            .help(format!("say which: `{{{}: …}}`", several[0]))),
        }
    }
}
