//! The steps of one story: one transaction each, judged inside it.

use std::time::Instant;

use super::{Stop, explain, pause, unreachable};
use crate::database::connection::Connection;
use crate::database::error::{Class, Error, Phase};
use crate::database::retry::{Attempts, Policy};
use crate::database::session::{Session, Wrote};
use crate::plan::{Access, Batch, Judgement};
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::project::source::Place;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{End, StepReport};
use crate::step::Step;

/// Runs steps until one does not hold; those behind it are reported as not run.
pub fn run(
    steps: &[Step],
    batches: &[Batch],
    connection: &mut Connection,
    retry: Policy,
    reports: &mut Vec<StepReport>,
    emit: &mut dyn FnMut(Event),
) -> Result<(), Stop> {
    let mut held = true;
    let mut stop = None;
    for (step, batch) in steps.iter().zip(batches) {
        let mut report = blank(step);
        if held && stop.is_none() {
            emit(Event::StepBegun { kind: step.kind.name, title: &step.title.text });
            stop = one(step, batch, connection, retry, &mut report, emit).err();
            held = report.end.is_accepted();
        }
        emit(Event::StepEnded(&report));
        reports.push(report);
    }
    stop.map_or(Ok(()), Err)
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

/// One step, as often as the connection makes it necessary. The unit that is tried again is
/// connect, begin, work and commit; nothing is tried again inside a transaction.
fn one(
    step: &Step,
    batch: &Batch,
    connection: &mut Connection,
    retry: Policy,
    report: &mut StepReport,
    emit: &mut dyn FnMut(Event),
) -> Result<(), Stop> {
    let started = Instant::now();
    let mut attempts = Attempts::begin(retry);
    let result = loop {
        report.attempts = attempts.made();
        let session = match connection.session(emit) {
            Ok(session) => session,
            Err(error) => break Err(unreachable(connection, &error)),
        };
        let (error, phase) = match attempt(session, step, batch) {
            Ok(ended) => {
                finish(step, ended, report);
                break Ok(());
            }
            Err(failure) => failure,
        };
        if error.leaves_session_usable() {
            let _ = session.rollback();
        } else {
            connection.forget();
        }
        let is_ambiguous = error.class(phase) == Class::Ambiguous && batch.access == Access::Write;
        let may_pass = !is_ambiguous && error.class(phase) != Class::Permanent;
        if let Some(delay) = if may_pass { attempts.next_delay() } else { None } {
            pause(&step.title.text, &error, attempts.made() - 1, delay, emit);
            continue;
        }
        report.end = End::Error;
        if is_ambiguous {
            break Err(Stop { exit: Exit::Unknown, diagnostics: vec![explain::unknown(step, &error)] });
        }
        if !error.leaves_session_usable() {
            break Err(unreachable(connection, &error));
        }
        report.diagnostics.push(explain::step(step, batch, &error, connection, emit));
        break Ok(());
    };
    report.elapsed = started.elapsed();
    result
}

/// How one try ended: with a judgement and what was kept, or with what is wrong.
type Ended = Result<(Judgement, Option<Vec<Wrote>>), Vec<Diagnostic>>;

fn attempt(session: &mut Session, step: &Step, batch: &Batch) -> Result<Ended, (Error, Phase)> {
    let work = |error: Error| (error, Phase::Work);
    session.begin(batch.access).map_err(work)?;
    let judged = match session.query(&batch.statement) {
        Ok(answer) => (batch.judge)(&answer),
        Err(error) => Ok(refusal(batch, &error).ok_or((error, Phase::Work))?),
    };
    let is_accepted = judged.as_ref().is_ok_and(|judgement| step.accepted.contains(&judgement.outcome));
    let is_refusal = judged
        .as_ref()
        .is_ok_and(|judgement| batch.refusals.iter().any(|(_, outcome)| *outcome == judgement.outcome));
    if !is_accepted || is_refusal {
        session.rollback().map_err(work)?;
        return Ok(judged.map(|judgement| (judgement, None)));
    }
    let wrote = session.commit(batch.access).map_err(|error| (error, Phase::Commit))?;
    Ok(judged.map(|judgement| (judgement, Some(wrote))))
}

/// The server's refusal as an end the kind knows, like a delete that a foreign key forbids.
fn refusal(batch: &Batch, error: &Error) -> Option<Judgement> {
    let server = error.server()?;
    let (_, outcome) = batch.refusals.iter().find(|(state, _)| *state == server.sqlstate)?;
    let mut problem = Diagnostic::failed(server.message.clone());
    problem.notes.extend(server.detail.clone());
    Some(Judgement { outcome: *outcome, detail: server.constraint.clone(), problem: Some(problem) })
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
