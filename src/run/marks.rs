//! Marks: the places of a story behind which tables are looked at, because a later step compares with them.
//! What was seen is kept here, so that it outlives the connection.

use super::{Run, Stop, snapshot};
use crate::database::error::Error;
use crate::plan::fact::Fact;
use crate::plan::snapshot::{Selection, Snapshot};
use crate::plan::{Access, Batch, Shape};
use crate::project::diagnostic::Diagnostic;
use crate::step::Step;

/// What is kept, or why it could not be.
type Seen = Result<Snapshot, String>;

/// A place in a story: behind the step of that number, or the start.
pub type Mark = Option<usize>;

/// What was seen where.
#[derive(Default)]
pub struct Marks {
    wanted: Vec<(Mark, Selection)>,
    seen: Vec<(Mark, Selection, Seen)>,
}

impl Marks {
    /// What some steps will compare with.
    pub fn of(steps: &[Step], batches: &[Option<Batch>]) -> Marks {
        let mut wanted: Vec<(Mark, Selection)> = Vec::new();
        for (step, batch) in steps.iter().zip(batches) {
            let Some(Batch { shape: Shape::Facts(facts), .. }) = batch else { continue };
            for fact in facts {
                let Fact::Kept(kept) = fact else { continue };
                let own = (step.links.since, kept.selection.clone());
                if !wanted.contains(&own) {
                    wanted.push(own);
                }
            }
        }
        Marks { wanted, seen: Vec::new() }
    }

    /// Adds what others want; what was seen stays.
    pub fn add(&mut self, others: Marks) {
        self.wanted.extend(others.wanted);
    }
}

/// What was kept of these tables there.
pub fn find<'m>(marks: &'m Marks, mark: Mark, selection: &Selection) -> Result<&'m Snapshot, Diagnostic> {
    match marks.seen.iter().find(|(at, of, _)| (*at, of) == (mark, selection)) {
        Some((_, _, Ok(snapshot))) => Ok(snapshot),
        Some((_, _, Err(message))) => {
            Err(Diagnostic::error(format!("the tables could not be looked at before: {message}")))
        }
        None => Err(Diagnostic::error(
            "the tables were not looked at before: the step that is named did not hold",
        )),
    }
}

impl Run<'_> {
    /// Looks at the tables that later steps will compare with this place.
    pub(super) fn mark(&mut self, mark: Mark, marks: &mut Marks) -> Result<(), Stop> {
        let wanted: Vec<Selection> =
            marks.wanted.iter().filter(|(at, _)| *at == mark).map(|(_, of)| of.clone()).collect();
        for selection in wanted {
            let seen = self.reading("the tables", |session| {
                session.begin(Access::Read, &session.repeatable(), "")?;
                match snapshot::take(session, &selection) {
                    Ok(snapshot) => {
                        session.rollback()?;
                        Ok(Ok(snapshot))
                    }
                    Err(Error::Server(server)) if is_about_tables(&server.sqlstate) => {
                        session.rollback()?;
                        Ok(Err(server.message))
                    }
                    Err(error) => Err(error),
                }
            })?;
            marks.seen.push((mark, selection, seen));
        }
        Ok(())
    }
}

/// Whether a server's error would be the same again.
fn is_about_tables(sqlstate: &str) -> bool {
    ["42", "22", "55000", "57014", "P0"].iter().any(|class| sqlstate.starts_with(class))
}
