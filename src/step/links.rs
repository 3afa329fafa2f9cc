//! Links: what a step takes from others and from the world around, and what others take from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Action, Head, Step};
use crate::project::diagnostic::Diagnostic;
use crate::project::outside::Outside;
use crate::project::reading::Reading;
use crate::project::values::{Captured, Taken, Values};
use crate::project::yaml::Entry;

/// What a step has to do with others.
#[derive(Debug, Default)]
pub struct Links {
    /// What it takes from the rows of earlier steps.
    pub taken: Vec<Taken>,
    /// Whether a later step takes something from its row.
    pub is_captured: bool,
    /// The step that it is a case of, by its number in the file; its cases run whatever becomes of each.
    pub case_of: Option<usize>,
    /// The step behind which it compares tables with what they were, by its number; otherwise the start.
    pub since: Option<usize>,
    /// How to read it again, when all values are known.
    pub late: Option<Late>,
}

/// A step of which a value is not known before the run.
#[derive(Debug)]
pub struct Late {
    /// The keys of its kind, as written.
    pub entries: Vec<Entry>,
    /// The rest of it.
    pub head: Head,
    /// The values it may name.
    pub values: Values,
}

impl Step {
    /// What it does, with the values that are known now; nothing if that is what it has said already. Before
    /// the run, where nothing can be captured, another value stands in.
    ///
    /// Fails where a value is missing, or cannot stand where it is named.
    pub fn action_now(
        &self,
        outside: &Outside,
        captured: Option<&Arc<BTreeMap<String, Captured>>>,
    ) -> Result<Option<Box<dyn Action>>, Vec<Diagnostic>> {
        let Some(Late { entries, head, values }) = &self.links.late else { return Ok(None) };
        let mut problems = Vec::new();
        let mut reading = Reading::new(&self.source, &mut problems);
        reading.values =
            Values { captured: captured.cloned(), outside: Some(outside.clone()), ..values.clone() };
        let entries = reading.fill_all(entries.clone());
        let action = (self.kind.parse)(&mut reading, *head, entries);
        if problems.is_empty() { Ok(action) } else { Err(problems) }
    }

    /// Whether a problem is about a value that is not known yet, for which another stood in.
    pub fn is_about_unknown(&self, problem: &Diagnostic) -> bool {
        let span = problem.place.as_ref().map(|place| place.span);
        self.links.taken.iter().any(|taken| Some(taken.span) == span)
    }
}
