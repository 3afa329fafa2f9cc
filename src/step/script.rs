//! Script: statements of the author's that are sent as they are, for steps that do not look at rows.

use std::sync::Arc;

use super::assert::cell;
use super::{Action, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::description::Description;
use crate::plan::{Access, Batch, Bind, Locate, Scripted, Shape, Statement, Value};
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Name, Place, Source};
use crate::project::sql::parameters::Parameterised;
use crate::project::yaml::Entry;

/// Some statements of one text.
#[derive(Debug)]
pub struct Script {
    /// The text that they are parts of.
    pub text: Name,
    /// The statements, in order; at least one.
    pub parts: Vec<Part>,
    /// How the step ends when none of them fails.
    pub outcome: Outcome,
}

/// One statement.
#[derive(Debug)]
pub struct Part {
    /// The byte of the text that it begins with.
    pub start: usize,
    /// Its SQL, with numbered parameters.
    pub sql: Parameterised,
    /// The values of the parameters, in the order of their numbers.
    pub with: Vec<Entry>,
}

impl Script {
    /// A query that only reads.
    pub fn of_query(query: Name, sql: Parameterised, with: Vec<Entry>) -> Script {
        Script { text: query, parts: vec![Part { start: 0, sql, with }], outcome: Outcome::Held }
    }

    /// Where a character of a statement stands in the author's file.
    fn locate(&self, part: usize, source: &Arc<Source>) -> Locate {
        let (start, sql) = (self.parts[part].start, self.parts[part].sql.clone());
        let (text, source) = (self.text.clone(), source.clone());
        Box::new(move |position| {
            let offset = start + sql.original(position);
            Some((Place::new(&source, source.within(text.span, &text.text, offset)), None))
        })
    }

    /// A statement without values.
    fn query(&self, part: usize, source: &Arc<Source>) -> Statement {
        let Part { start, sql, with } = &self.parts[part];
        let place = source.within(self.text.span, &self.text.text, *start);
        let mut statement = Statement {
            sql: sql.sql.clone(),
            locate: Some(self.locate(part, source)),
            place: Some(Place::new(source, place)),
            ..Statement::default()
        };
        for entry in with {
            statement.bind(None, Some(Place::new(source, entry.value.span)), format!(":{}", entry.key));
        }
        statement
    }

    /// A statement with the values of its parameters, each by the type that it is used as.
    fn bound(
        &self,
        part: usize,
        description: &Description,
        source: &Arc<Source>,
    ) -> Result<Statement, Vec<Diagnostic>> {
        let mut statement = self.query(part, source);
        let mut problems = Vec::new();
        let entries = self.parts[part].with.iter().zip(&description.parameters).enumerate();
        for (at, (entry, sql_type)) in entries {
            let place = Place::new(source, entry.value.span);
            let text = match cell::text(&entry.value, sql_type, &statement.parameters[at].what, &place) {
                Ok(text) => text,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            statement.parameters[at].value = match description.untyped.contains(&at) {
                true => Value::Untyped(text),
                false => Value::Text(text),
            };
        }
        if problems.is_empty() { Ok(statement) } else { Err(problems) }
    }
}

impl Action for Arc<Script> {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        Vec::new()
    }

    fn writes(&self) -> bool {
        self.outcome.has_written()
    }

    /// Nobody knows what statements do.
    fn deletes(&self, _: &Project) -> bool {
        self.writes()
    }

    fn compile(&self, step: &Step, _: &Project, _: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let statements = (0..self.parts.len()).map(|part| {
            let (script, source) = (self.clone(), step.source.clone());
            let bind: Bind = Box::new(move |description| script.bound(part, description, &source));
            let has_parameters = !self.parts[part].with.is_empty();
            Scripted { query: self.query(part, &step.source), bind: has_parameters.then_some(bind) }
        });
        let access = if self.writes() { Access::Write } else { Access::Read };
        let shape = Shape::Script { statements: statements.collect(), outcome: self.outcome };
        Ok(Batch::of(access, shape))
    }
}
