//! One step, as often as the connection makes it necessary.

use super::attempt::{Failure, attempt};
use super::ending::finish;
use super::marks::Marks;
use super::{Run, Stop, explain, refusal};
use crate::database::error::{Class, Error, Phase};
use crate::database::ledger::Entry;
use crate::database::retry::Attempts;
use crate::plan::{Access, Batch, Statement};
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{End, StepReport};
use crate::step::Step;

impl Run<'_> {
    /// One step, as often as the connection makes it necessary. The unit that is tried again is
    /// connect, begin, work and commit; nothing is tried again inside a transaction.
    pub(super) fn step(
        &mut self,
        step: &Step,
        batch: &Batch,
        entry: &Entry,
        marks: &Marks,
        report: &mut StepReport,
    ) -> Result<(), Stop> {
        let mut attempts = Attempts::begin(self.work.retry);
        loop {
            report.attempts = attempts.made();
            let name = self.connection.application_name(&format!("step {}", entry.number));
            if batch.access == Access::Write {
                self.ledger().inspect_err(|_| report.end = End::Error)?;
            }
            let session = match batch.access {
                Access::Read => self.connection.session(self.emit),
                Access::Write => self.connection.writing(self.emit),
            };
            let session = match session {
                Ok(session) => session,
                Err(error) => {
                    report.end = End::Error;
                    return Err(self.stop(&error));
                }
            };
            let deleted_max = step.action.deletes(self.work.project).then_some(self.work.guard.deleted_max);
            let mut compiled = None;
            let mut asked = batch.first();
            let mut has_begun = true;
            let tried = attempt(session, step, batch, (entry, &name), deleted_max, marks, self.emit);
            let (error, phase) = match tried {
                Ok(ended) => {
                    finish(step, ended, report);
                    return Ok(());
                }
                Err(Failure::Described(error, statement)) => {
                    compiled = Some(statement);
                    (error, Phase::Work)
                }
                Err(Failure::Commit(error, judgement))
                    if batch.access == Access::Write && error.class(Phase::Commit) == Class::Ambiguous =>
                {
                    if self.was_committed(step, entry, &error, report)? {
                        finish(step, Ok((judgement, None)), report);
                        return Ok(());
                    }
                    (error, Phase::Work) // Nothing of it was kept.
                }
                Err(Failure::Commit(error, _)) => (error, Phase::Commit),
                Err(Failure::Begin(error)) => {
                    has_begun = false;
                    (error, Phase::Work)
                }
                Err(Failure::Work(error)) => (error, Phase::Work),
                Err(Failure::Asked(error, statement)) => {
                    asked = Some(statement);
                    (error, Phase::Work)
                }
            };
            let refusal = step.expect.refusal().filter(|_| has_begun && phase == Phase::Work);
            let refused = refusal.zip(error.server().filter(|_| error.leaves_session_usable()));
            let differences = refused.map(|(refusal, server)| refusal::differences(refusal, server));
            if let Some((_, server)) = refused.filter(|_| differences.as_ref().is_some_and(Vec::is_empty)) {
                if let Ok(session) = self.connection.session(self.emit) {
                    session.leave();
                }
                finish(step, Ok((refusal::judgement(server), None)), report);
                return Ok(());
            }
            report.end = End::Error;
            let is_standby = batch.access == Access::Write && error.is_read_only();
            if !error.leaves_session_usable() || is_standby {
                self.connection.forget();
            } else if let Ok(session) = self.connection.session(self.emit) {
                let _ = session.rollback();
            }
            let may_pass = match error.class(phase) {
                Class::Transient => batch.access == Access::Write || !error.is_read_only(),
                Class::Ambiguous => batch.access == Access::Read, // Nothing depends on that commit.
                Class::Permanent => false,
            };
            if let Some(delay) = attempts.next_delay().filter(|_| may_pass) {
                report.retried.push(error.to_string());
                self.pause(&step.title.text, &error, attempts.made() - 1, delay)?;
                continue;
            }
            if !error.leaves_session_usable() {
                return Err(self.stop(&error));
            }
            let nothing = Statement::default();
            let statement = compiled.as_ref().or(asked).unwrap_or(&nothing);
            let access = batch.access;
            let told = match refused.zip(differences) {
                Some(((_, server), differences)) => refusal::another(step, server, differences),
                None => explain::step(step, access, statement, &error, self.connection, self.emit),
            };
            report.diagnostics.push(told);
            return Ok(());
        }
    }

    /// Makes sure that the ledger is there, before the first step that writes. Should it be cut, it is
    /// done again: creating it twice is creating it once.
    fn ledger(&mut self) -> Result<(), Stop> {
        self.writing("the ledger", |session| session.with_ledger().map(drop))
    }

    /// What became of a commit without an answer, as the ledger has it.
    fn was_committed(
        &mut self,
        step: &Step,
        entry: &Entry,
        error: &Error,
        report: &mut StepReport,
    ) -> Result<bool, Stop> {
        (self.emit)(Event::Settling { title: &step.title.text, reason: error.to_string() });
        let settled = self.connection.settle(|schema| entry.question(schema), self.emit);
        settled.map_err(|silence| {
            report.end = End::Unknown;
            Stop { exit: Exit::Unknown, diagnostics: vec![explain::unknown(step, error, &silence)] }
        })
    }
}
