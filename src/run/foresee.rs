//! What steps would do to the rows of their tables, without doing it.

use super::bulk::{self, Broken};
use super::{Run, Stop, explain};
use crate::database::error::Error;
use crate::database::session::Session;
use crate::plan::{Access, Answer};
use crate::project::diagnostic::Diagnostic;
use crate::report::event::Event;
use crate::seed::load::Load;
use crate::seed::look::{Foreseen, Look};
use crate::step::Step;

impl Run<'_> {
    /// What each of some steps would do behind those before it: for each table, or nothing for a kind whose
    /// changes cannot be foreseen. What is wrong with a step is among `problems`.
    pub fn foresee(
        &mut self,
        steps: &[Step],
        problems: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Option<Vec<Foreseen>>>, Stop> {
        let project = self.work.project;
        let names: Vec<&str> = steps
            .iter()
            .filter(|step| !step.is_skipped())
            .flat_map(|step| step.action.tables(project))
            .collect();
        let catalog = self.catalog(&names, false, problems)?;
        let mut foreseen = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            // Of a step that is refused nothing is kept, and of one that depends on others nobody knows.
            let depends = |step: &Step| !step.control.when.is_empty() || !step.links.taken.is_empty();
            let loads = |step: &Step| match step.is_skipped() || depends(step) {
                true => None,
                false if step.expect.refusal().is_some() => Some(Ok(Vec::new())),
                false => match step.action_now(&project.outside, None) {
                    Ok(Some(action)) => action.foreseen(step, project, &catalog),
                    Ok(None) => step.action.foreseen(step, project, &catalog),
                    Err(wrong) => Some(Err(wrong)),
                },
            };
            let looked = match loads(step) {
                None => None,
                Some(Err(wrong)) => {
                    problems
                        .extend(wrong.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>());
                    None
                }
                Some(Ok(mut own)) => {
                    let mut before: Vec<Load> = Vec::new();
                    // Cases stand in the same place, and say different things.
                    let is_case = |step: &Step| step.links.case_of.is_some();
                    for earlier in &steps[..at] {
                        for load in loads(earlier).and_then(Result::ok).into_iter().flatten() {
                            if is_case(earlier) || !before.iter().any(|it| is_repeated(it, &load)) {
                                before.push(load);
                            }
                        }
                    }
                    own.retain(|load| is_case(step) || !before.iter().any(|it| is_repeated(it, load)));
                    match own.is_empty() {
                        true => Some(Vec::new()),
                        false => match Look::new(before, own) {
                            Ok(look) => self.look(step, &look, problems)?,
                            Err(problem) => {
                                problems.push(problem);
                                None
                            }
                        },
                    }
                }
            };
            foreseen.push(looked);
        }
        Ok(foreseen)
    }

    fn look(
        &mut self,
        step: &Step,
        look: &Look,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<Option<Vec<Foreseen>>, Stop> {
        let session = self.connection.session(self.emit).map_err(|error| Stop {
            exit: crate::report::exit::Exit::Unreachable,
            diagnostics: vec![Diagnostic::error(error.to_string())],
        })?;
        let answer = match ask(session, look, self.emit) {
            Ok(answer) => answer,
            Err(Broken::Wrong(wrong)) => {
                problems.extend(wrong);
                return Ok(None);
            }
            Err(Broken::Failed(error, _)) if error.leaves_session_usable() => {
                let (connection, emit) = (&mut *self.connection, &mut *self.emit);
                problems.push(explain::step(step, Access::Read, &look.statement, &error, connection, emit));
                return Ok(None);
            }
            Err(Broken::Failed(error, _)) => return Err(self.stop(&error)),
        };
        match look.read(&answer) {
            Ok(foreseen) => Ok(Some(foreseen)),
            Err(wrong) => {
                problems.extend(wrong);
                Ok(None)
            }
        }
    }
}

/// Whether a load says what an earlier one has said already.
fn is_repeated(earlier: &Load, load: &Load) -> bool {
    let says = |load: &Load| (load.place.clone(), load.updates.is_some(), load.removal.is_some());
    says(earlier) == says(load)
}

fn ask(session: &mut Session, look: &Look, emit: &mut dyn FnMut(Event)) -> Result<Answer, Broken> {
    // A temporary table is made for the rows of files, which a reading transaction may not.
    let access = if look.intakes.is_empty() { Access::Read } else { Access::Write };
    session.begin(access, "", "")?;
    let looked = look
        .intakes
        .iter()
        .try_for_each(|intake| bulk::stage(session, intake, emit))
        .and_then(|()| session.query(&look.statement).map_err(|error| Broken::Failed(error, true)));
    let usable = !matches!(&looked, Err(Broken::Failed(error, _)) if !error.leaves_session_usable());
    if usable {
        session.rollback().map_err(|error: Error| Broken::Failed(error, false))?;
    }
    looked
}
