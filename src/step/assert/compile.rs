//! The one statement an assertion becomes, when the columns of its query are known.
//!
//! The author's query is a subselect whose columns get names of ours, so that no name of the author's
//! can be in the way. What is expected travels as one text array a column.

use std::sync::Arc;

use super::expected::Expected;
use super::judge::{Expectation, judge_count, judge_rows};
use super::rows::Rows;
use super::{Assert, cell};
use crate::plan::description::Description;
use crate::plan::{Locate, Question, Statement, Value};
use crate::project::diagnostic::Diagnostic;
use crate::project::quantity::Quantity;
use crate::project::source::{Place, Source};

impl Assert {
    /// The query as the author wrote it, to be described.
    pub(super) fn described(&self, source: &Arc<Source>) -> Statement {
        let mut statement = Statement { sql: self.sql.sql.clone(), ..Statement::default() };
        for entry in &self.with {
            let place = Place::new(source, entry.value.span);
            statement.bind(None, Some(place), format!(":{}", entry.key));
        }
        statement.locate = Some(self.locate(0, source));
        statement
    }

    /// The statement for a query with these columns.
    pub(super) fn question(
        self: &Arc<Assert>,
        description: &Description,
        source: &Arc<Source>,
        now: &str,
    ) -> Result<Question, Vec<Diagnostic>> {
        let compared = self.compared(description, source)?;
        let mut statement = Statement::default();
        let mut problems = Vec::new();
        self.bind_parameters(&mut statement, description, source, &mut problems);
        let question = match &self.expected {
            Expected::Count(quantity) => self.counted(statement, quantity.clone(), source, true),
            // Rows without columns can only be counted.
            _ if compared.columns.is_empty() => {
                self.counted(statement, Quantity::exactly(0, self.expected_span), source, false)
            }
            _ => {
                let mut rows =
                    Rows { assert: self, statement: &mut statement, source, now, compared: &compared };
                let (wanted, leaves) = rows.compile(&mut problems);
                let expectation = Expectation::new(self, &compared, &wanted, leaves, source);
                Question { statement, judge: Box::new(move |answer| judge_rows(answer, &expectation)) }
            }
        };
        if problems.is_empty() { Ok(question) } else { Err(problems) }
    }

    /// Counts the rows.
    fn counted(
        &self,
        mut statement: Statement,
        wanted: Quantity,
        source: &Arc<Source>,
        is_written: bool,
    ) -> Question {
        self.embed(&mut statement, source, "select count(*)::text from (\n", ") as q");
        let place = Place::new(source, self.expected_span);
        Question {
            statement,
            judge: Box::new(move |answer| Ok(judge_count(answer, &wanted, &place, is_written))),
        }
    }

    /// The values under `with`, each by the type that the query uses it as.
    pub(super) fn bind_parameters(
        &self,
        statement: &mut Statement,
        description: &Description,
        source: &Arc<Source>,
        problems: &mut Vec<Diagnostic>,
    ) {
        for (at, (entry, sql_type)) in self.with.iter().zip(&description.parameters).enumerate() {
            let (place, what) = (Place::new(source, entry.value.span), format!(":{}", entry.key));
            let text = cell::text(&entry.value, sql_type, &what, &place);
            let text = text.unwrap_or_else(|problem| {
                problems.push(problem);
                None
            });
            statement.bind(text.clone(), Some(place), what);
            if description.untyped.contains(&at) {
                statement.parameters[at].value = Value::Untyped(text);
            }
        }
    }

    /// The author's query between two pieces of SQL, and how to find its characters again.
    pub(super) fn embed(&self, statement: &mut Statement, source: &Arc<Source>, before: &str, behind: &str) {
        statement.sql = format!("{before}{}\n{behind}", self.sql.sql);
        statement.locate = Some(self.locate(before.chars().count(), source));
    }

    /// Where a character of a statement stands in the author's file, if it is the author's: the query
    /// begins behind the first `before` of them.
    fn locate(&self, before: usize, source: &Arc<Source>) -> Locate {
        let (sql, query, source) = (self.sql.clone(), self.query.clone(), source.clone());
        // An end that comes too early is found behind the last character.
        let length = sql.sql.chars().count() + 1;
        Box::new(move |position| {
            let inside = position.checked_sub(before).filter(|inside| (1..=length).contains(inside))?;
            let offset = sql.original(inside);
            Some((Place::new(&source, source.within(query.span, &query.text, offset)), None))
        })
    }
}
