//! The steps of one story: one transaction each, judged inside it.

use std::time::Instant;

use super::bulk::{self, Broken};
use super::{Run, Stop, Story, explain};
use crate::database::error::{Class, Error, Phase};
use crate::database::ledger::Entry;
use crate::database::lock;
use crate::database::retry::Attempts;
use crate::database::session::{Session, Wrote};
use crate::plan::quote::literal;
use crate::plan::{Access, Answer, Batch, Judgement, Question, Quick, Shape, Statement, text};
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::source::{Place, digest};
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{End, StepReport};
use crate::step::Step;

impl Run<'_> {
    /// Runs the steps of a story until one does not hold; those behind it are reported as not run.
    pub(super) fn story(
        &mut self,
        story: &Story,
        batches: &[Batch],
        reports: &mut Vec<StepReport>,
    ) -> Result<(), Stop> {
        let mut held = true;
        let mut stop = None;
        for (step, batch) in story.steps.iter().zip(batches) {
            self.steps_begun += 1;
            let mut report = blank(step);
            if held && stop.is_none() {
                (self.emit)(Event::StepBegun { kind: step.kind.name, title: &step.title.text });
                let entry = self.entry(story, step);
                let started = Instant::now();
                stop = self.step(step, batch, &entry, &mut report).err();
                report.diagnostics.extend(batch.warnings.iter().cloned());
                self.tell_notices();
                report.elapsed = started.elapsed();
                held = report.end.is_accepted();
            }
            (self.emit)(Event::StepEnded(&report));
            reports.push(report);
        }
        stop.map_or(Ok(()), Err)
    }

    fn entry(&self, story: &Story, step: &Step) -> Entry {
        let files = step.action.sources(self.work.project);
        Entry {
            run: self.connection.run.clone(),
            number: self.steps_begun,
            host: self.connection.host.clone(),
            scenario: story.title.to_owned(),
            kind: step.kind.name,
            title: step.title.text.clone(),
            content: digest(std::iter::once(&*step.source).chain(files)),
        }
    }

    /// One step, as often as the connection makes it necessary. The unit that is tried again is
    /// connect, begin, work and commit; nothing is tried again inside a transaction.
    fn step(
        &mut self,
        step: &Step,
        batch: &Batch,
        entry: &Entry,
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
            let (error, phase) = match attempt(session, step, batch, (entry, &name), deleted_max, self.emit) {
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
                Err(Failure::Work(error)) => (error, Phase::Work),
                Err(Failure::Asked(error, statement)) => {
                    asked = statement;
                    (error, Phase::Work)
                }
            };
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
                self.pause(&step.title.text, &error, attempts.made() - 1, delay)?;
                continue;
            }
            if !error.leaves_session_usable() {
                return Err(self.stop(&error));
            }
            let statement = compiled.as_ref().unwrap_or(asked);
            let access = batch.access;
            let told = explain::step(step, access, statement, &error, self.connection, self.emit);
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

/// A try that did not come to an end.
enum Failure<'b> {
    /// Before COMMIT was sent.
    Work(Error),
    /// The same, in this statement of several.
    Asked(Error, &'b Statement),
    /// The same, in a statement that was made from a description.
    Described(Error, Statement),
    /// Behind it, with what the step would have ended with.
    Commit(Error, Judgement),
}

/// How one try ended: with a judgement and what was kept, or with what is wrong.
type Ended = Result<(Judgement, Option<Vec<Wrote>>), Vec<Diagnostic>>;

fn attempt<'b>(
    session: &mut Session,
    step: &Step,
    batch: &'b Batch,
    (entry, name): (&Entry, &str),
    deleted_max: Option<u64>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Failure<'b>> {
    let mut first = format!("set local application_name = {};\n", literal(name));
    let mut schema = String::new();
    if batch.access == Access::Write {
        schema = session.schema().map_err(Failure::Work)?;
        first.push_str(&lock::in_transaction(&schema, session.limits.runner));
    }
    if let Some(judgement) = begin(session, batch, &first).map_err(Failure::Work)? {
        session.leave();
        return Ok(Ok((judgement, None)));
    }
    let mut reach = None;
    // What is asked once more before the commit.
    let mut unsettled: Vec<&Statement> = Vec::new();
    let judged = match &batch.shape {
        Shape::Ready(question) => match session.query(&question.statement) {
            Ok(answer) => {
                unsettled.push(&question.statement);
                let judge = batch.deletion.as_ref().and_then(|deletion| deletion.reach.as_ref());
                reach = judge.map(|judge| judge(&answer));
                (question.judge)(&answer)
            }
            Err(error) => Ok(refusal(batch, &error).ok_or(Failure::Work(error))?),
        },
        Shape::Series { units, judge } => {
            let mut answers = Answer::new();
            let mut wrong = None;
            for unit in units {
                match bulk::take(session, unit, emit) {
                    Ok(taken) => {
                        unsettled.extend((!taken.is_settled).then_some(&unit.statement));
                        answers.extend(taken.answer);
                    }
                    Err(Broken::Wrong(diagnostics)) => {
                        wrong = Some(diagnostics);
                        break;
                    }
                    Err(Broken::Failed(error, is_own)) if is_own => {
                        return Err(Failure::Asked(error, &unit.statement));
                    }
                    Err(Broken::Failed(error, _)) => return Err(Failure::Work(error)),
                }
            }
            let judge_reach = batch.deletion.as_ref().and_then(|deletion| deletion.reach.as_ref());
            reach = judge_reach.filter(|_| wrong.is_none()).map(|judge| judge(&answers));
            wrong.map_or_else(|| judge(&answers), Err)
        }
        Shape::Described { query, guess, quick, compile } => {
            let found = match guess {
                Some(guess) => session.guess(&guess.statement).map_err(Failure::Work)?,
                None => None,
            };
            let certain = guess.as_ref().zip(found.as_ref()).and_then(|(guess, found)| (guess.judge)(found));
            match (certain, found.and_then(|found| found.description)) {
                (Some(judgement), _) => Ok(judgement),
                // The rows have been compared already, as far as the quick way would.
                (None, Some(description)) => ask(session, compile(&description))?,
                (None, None) => {
                    let described = session.describe(query).map_err(Failure::Work)?;
                    match quick(&described).map_or(Ok(None), |quick| ask_quickly(session, quick))? {
                        Some(judgement) => Ok(judgement),
                        None => ask(session, compile(&described))?,
                    }
                }
            }
        }
    };
    let judgement = match judged {
        Ok(judgement) => judgement,
        Err(wrong) => {
            session.note_written();
            session.leave();
            return Ok(Err(wrong));
        }
    };
    if judgement.outcome.has_written() {
        session.note_written();
    }
    let is_refusal = batch.refusals.iter().any(|(_, outcome)| *outcome == judgement.outcome);
    let is_accepted = step.accepted.contains(&judgement.outcome) && !is_refusal;
    if !is_accepted || !judgement.outcome.has_written() {
        session.leave();
        return Ok(Ok((judgement, None)));
    }
    if let Some(settled) = &batch.settled {
        let mut again = Answer::new();
        for statement in unsettled {
            match session.query(statement) {
                Ok(answer) => again.extend(answer),
                // The first time there was no such conflict.
                Err(Error::Server(server)) if server.sqlstate.starts_with("23") => {
                    session.leave();
                    return Ok(Err(vec![explain::not_found_again(step, &server)]));
                }
                Err(error) => return Err(Failure::Asked(error, statement)),
            }
        }
        if let Err(wrong) = settled(&again) {
            session.leave();
            return Ok(Err(wrong));
        }
    }
    let mut last = entry.enter(&schema, judgement.outcome.word());
    if let Some(reach) = reach {
        last = session.nothing_else(&reach) + &last;
    }
    if let Some(most) = deleted_max {
        last = session.deleted_at_most(most) + &last;
    }
    match session.commit(batch.access, &last) {
        Ok(wrote) => Ok(Ok((judgement, Some(wrote)))),
        Err(error) => Err(Failure::Commit(error, judgement)),
    }
}

/// Asks what may be enough.
fn ask_quickly<'b>(session: &mut Session, quick: Quick) -> Result<Option<Judgement>, Failure<'b>> {
    match session.query(&quick.statement) {
        Ok(answer) => Ok((quick.judge)(&answer)),
        Err(error) => Err(Failure::Described(error, quick.statement)),
    }
}

/// Asks what a description has made.
fn ask<'b>(
    session: &mut Session,
    question: Result<Question, Vec<Diagnostic>>,
) -> Result<Result<Judgement, Vec<Diagnostic>>, Failure<'b>> {
    let question = match question {
        Ok(question) => question,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match session.query(&question.statement) {
        Ok(answer) => Ok((question.judge)(&answer)),
        Err(error) => Err(Failure::Described(error, question.statement)),
    }
}

/// Begins, and says how the step ends if it is over with that.
fn begin(session: &mut Session, batch: &Batch, first: &str) -> Result<Option<Judgement>, Error> {
    let mut last = String::new();
    for table in batch.deletion.iter().flat_map(|deletion| &deletion.alone) {
        last.push_str(&format!("lock table {table} in share row exclusive mode;\n"));
    }
    let Some(shortcut) = &batch.shortcut else {
        return session.begin(batch.access, first, &last).map(|_| None);
    };
    last.push_str(&format!("select 'shortcut' where {};", shortcut.condition));
    let answer = session.begin(batch.access, first, &last)?;
    let is_over = answer.iter().any(|row| text(row, 0) == "shortcut");
    let (outcome, detail) = (shortcut.outcome, Some(shortcut.detail.to_owned()));
    Ok(is_over.then_some(Judgement { outcome, detail, problem: None }))
}

/// The server's refusal as an end the kind knows, like a delete that a foreign key forbids.
fn refusal(batch: &Batch, error: &Error) -> Option<Judgement> {
    let server = error.server()?;
    let (_, outcome) = batch.refusals.iter().find(|(state, _)| *state == server.sqlstate)?;
    let mut problem = Diagnostic::failed(server.message.clone());
    problem.notes.extend(server.detail.clone());
    Some(Judgement { outcome: *outcome, detail: server.constraint.clone(), problem: Some(problem) })
}

fn blank(step: &Step) -> StepReport {
    StepReport {
        kind: step.kind.name,
        title: step.title.text.clone(),
        place: Place::new(&step.source, step.span),
        end: End::NotRun,
        detail: None,
        wrote: Vec::new(),
        attempts: 0,
        elapsed: Default::default(),
        diagnostics: Vec::new(),
    }
}

fn finish(step: &Step, ended: Ended, report: &mut StepReport) {
    match ended {
        Err(diagnostics) => {
            report.end = End::Error;
            report.diagnostics = diagnostics;
        }
        Ok((judgement, wrote)) if step.accepted.contains(&judgement.outcome) => {
            report.end = End::Accepted(judgement.outcome);
            report.detail = judgement.detail;
            report.wrote = wrote.unwrap_or_default();
        }
        Ok((judgement, _)) => {
            report.end = End::Refused(judgement.outcome);
            let mut problem = judgement.problem.unwrap_or_else(|| {
                Diagnostic::failed(format!(
                    "the step ended as `{}`, which it does not accept",
                    judgement.outcome.word()
                ))
            });
            problem.severity = Severity::Failed;
            problem.message = format!("{} `{}`: {}", step.kind.name, step.title.text, problem.message);
            let place = Place::new(&step.source, step.expect_span.unwrap_or(step.span));
            report.diagnostics.push(if problem.place.is_none() { problem.at_place(place) } else { problem });
        }
    }
}
