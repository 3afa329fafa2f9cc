//! Facts, found out one after the other in the transaction of their step.

use super::attempt::Failure;
use super::bulk::{self, Broken};
use super::marks::{Mark, Marks};
use super::work::work;
use super::{marks, snapshot};
use crate::database::session::{Session, moved};
use crate::plan::Judgement;
use crate::plan::fact::{self, Fact, Told, Trial};
use crate::project::diagnostic::Diagnostic;
use crate::report::event::Event;

/// Finds all of them out, and says how the step ends.
pub fn find_out<'b>(
    session: &mut Session,
    facts: &'b [Fact],
    marks: (&Marks, Mark),
    emit: &mut dyn FnMut(Event),
) -> Result<Result<Judgement, Vec<Diagnostic>>, Failure<'b>> {
    let mut all = Vec::new();
    for fact in facts {
        match one(session, fact, marks, emit)? {
            Ok(told) => all.push(told),
            Err(wrong) => return Ok(Err(wrong)),
        }
    }
    Ok(Ok(fact::judgement(all)))
}

fn one<'b>(
    session: &mut Session,
    fact: &'b Fact,
    (marks, since): (&Marks, Mark),
    emit: &mut dyn FnMut(Event),
) -> Result<Result<Told, Vec<Diagnostic>>, Failure<'b>> {
    match fact {
        Fact::Asked(asked) => {
            for intake in &asked.intakes {
                match bulk::stage(session, intake, emit) {
                    Ok(()) => {}
                    Err(Broken::Wrong(wrong)) => return Ok(Err(wrong)),
                    Err(Broken::Failed(error, _)) => return Err(Failure::Work(error)),
                }
            }
            let answer =
                session.query(&asked.statement).map_err(|error| Failure::Asked(error, &asked.statement))?;
            Ok((asked.judge)(&answer))
        }
        Fact::Kept(kept) => match marks::find(marks, since, &kept.selection) {
            Err(problem) => Ok(Err(vec![problem.at_place(kept.place.clone())])),
            Ok(earlier) => {
                let compared = snapshot::compare(session, &kept.selection, earlier).map_err(Failure::Work)?;
                Ok(Ok((kept.judge)(&compared)))
            }
        },
        Fact::Tried(tried) => {
            let before = session.sequences().map_err(Failure::Work)?;
            session.watch().map_err(Failure::Work)?;
            let worked = work(session, &tried.batch, false, (marks, since), emit);
            session.note_written();
            let judgement = match worked?.judged {
                Ok(judgement) => judgement,
                Err(wrong) => return Ok(Err(wrong)),
            };
            let written = session.everything_written().map_err(Failure::Work)?;
            if !written.is_counted {
                let help = "set `track_counts = on`, which it is unless somebody turned it off";
                let problem = Diagnostic::error("the server does not count what is written").help(help);
                return Ok(Err(vec![problem]));
            }
            let after = session.sequences().map_err(Failure::Work)?;
            let moved = moved(&before, &after);
            Ok(Ok((tried.judge)(&Trial { judgement, written, moved })))
        }
    }
}
