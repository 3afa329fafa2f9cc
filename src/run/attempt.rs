//! One try of one step: a transaction, judged inside it.

use super::bulk::{self, Broken};
use super::explain;
use crate::database::error::Error;
use crate::database::ledger::Entry;
use crate::database::lock;
use crate::database::session::{Session, Wrote};
use crate::plan::quote::{identifier, literal};
use crate::plan::{
    Access, Answer, Batch, Capture, Judgement, Question, Quick, Scripted, Shape, Statement, text,
};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::values::Captured;
use crate::report::event::Event;
use crate::step::Step;

/// A try that did not come to an end.
pub enum Failure<'b> {
    /// Before the step itself had begun.
    Begin(Error),
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
pub type Ended = Result<(Judgement, Option<Vec<Wrote>>), Vec<Diagnostic>>;

/// Tries a step once, in one transaction, within its own limits.
pub fn attempt<'b>(
    session: &mut Session,
    step: &Step,
    batch: &'b Batch,
    entered: (&Entry, &str),
    deleted_max: Option<u64>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Failure<'b>> {
    let limits = session.limits;
    session.limits.statement = step.control.timeout.unwrap_or(limits.statement);
    let ended = transaction(session, step, batch, entered, deleted_max, emit);
    session.limits = limits;
    ended
}

fn transaction<'b>(
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
        schema = session.schema().map_err(Failure::Begin)?;
        first.push_str(&lock::in_transaction(&schema, session.limits.runner));
    }
    if let Some(role) = &step.control.role {
        first.push_str(&format!("set local role {};\n", identifier(&role.text)));
    }
    let expects_refusal = step.expect.refusal().is_some();
    // What goes wrong with the beginning is none of the errors that a step may expect.
    let is_apart =
        expects_refusal || step.control.role.is_some() || matches!(batch.shape, Shape::Script { .. });
    if let Some(judgement) = begin(session, batch, &first, is_apart).map_err(Failure::Begin)? {
        session.leave();
        return Ok(Ok((judgement, None)));
    }
    let mut captured = match batch.capture.as_ref().filter(|capture| capture.is_before) {
        Some(capture) => match capture_row(session, capture)? {
            Ok(captured) => captured,
            Err(problem) => {
                session.leave();
                return Ok(Err(vec![problem]));
            }
        },
        None => None,
    };
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
            Err(error) if expects_refusal => return Err(Failure::Work(error)),
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
        Shape::Script { statements, outcome } => {
            let mut wrong = None;
            for scripted in statements {
                if let Err(diagnostics) = send(session, scripted)? {
                    wrong = Some(diagnostics);
                    break;
                }
            }
            let detail = (statements.len() > 1).then(|| count(statements.len(), "statement"));
            wrong.map_or(Ok(Judgement { outcome: *outcome, detail, problem: None, captured: None }), Err)
        }
    };
    let mut judgement = match judged {
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
    if expects_refusal {
        // What would be refused at the commit is refused here.
        if judgement.outcome.has_written() {
            let limit = session.limits.statement;
            session.simple("set constraints all immediate".to_owned(), limit).map_err(Failure::Work)?;
        }
        session.leave();
        return Ok(Ok((judgement, None)));
    }
    if let Some(capture) = batch.capture.as_ref().filter(|capture| !capture.is_before) {
        match capture_row(session, capture)? {
            Ok(row) => captured = row,
            Err(problem) => {
                session.leave();
                return Ok(Err(vec![problem]));
            }
        }
    }
    judgement.captured = judgement.captured.or(captured);
    let is_refusal = batch.refusals.iter().any(|(_, outcome)| *outcome == judgement.outcome);
    let is_accepted = step.expect.accepts(judgement.outcome) && !is_refusal;
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
    let is_script = matches!(batch.shape, Shape::Script { .. });
    if is_script || step.control.role.is_some() {
        // What is left to the commit is the role's to do, and the ledger is ours.
        let back = if is_script { session.restoring() } else { "reset role;\n".to_owned() };
        last = format!("set constraints all immediate;\n{back}{last}");
    }
    match session.commit(batch.access, &last) {
        Ok(wrote) => Ok(Ok((judgement, Some(wrote)))),
        Err(error) => Err(Failure::Commit(error, judgement)),
    }
}

/// Asks for the row that other steps refer to.
fn capture_row<'b>(
    session: &mut Session,
    capture: &'b Capture,
) -> Result<Result<Option<Captured>, Diagnostic>, Failure<'b>> {
    let answer =
        session.query(&capture.statement).map_err(|error| Failure::Asked(error, &capture.statement))?;
    Ok(capture.read(&answer))
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

/// Sends a statement of the author's as it is. An error in a subtransaction would leave the statements before
/// it done, so there is none but around what the server may have to be asked twice.
fn send<'b>(
    session: &mut Session,
    scripted: &'b Scripted,
) -> Result<Result<(), Vec<Diagnostic>>, Failure<'b>> {
    let asked = |error| Failure::Asked(error, &scripted.query);
    let Some(bind) = &scripted.bind else {
        return session.execute(&scripted.query).map(|_| Ok(())).map_err(asked);
    };
    let description = session.describe_within(&scripted.query).map_err(asked)?;
    match bind(&description) {
        Ok(statement) => match session.execute(&statement) {
            Ok(_) => Ok(Ok(())),
            Err(error) => Err(Failure::Described(error, statement)),
        },
        Err(wrong) => Ok(Err(wrong)),
    }
}

/// Begins, and says how the step ends if it is over with that. What is to stand apart is sent at once.
fn begin(
    session: &mut Session,
    batch: &Batch,
    first: &str,
    is_apart: bool,
) -> Result<Option<Judgement>, Error> {
    let mut last = if is_apart { "select 'begun';\n".to_owned() } else { String::new() };
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
    Ok(is_over.then_some(Judgement { outcome, detail, problem: None, captured: None }))
}

/// The server's refusal as an end the kind knows, like a delete that a foreign key forbids.
fn refusal(batch: &Batch, error: &Error) -> Option<Judgement> {
    let server = error.server()?;
    let (_, outcome) = batch.refusals.iter().find(|(state, _)| *state == server.sqlstate)?;
    let mut problem = Diagnostic::failed(server.message.clone());
    problem.notes.extend(server.detail.clone());
    Some(Judgement {
        outcome: *outcome,
        detail: server.constraint.clone(),
        problem: Some(problem),
        captured: None,
    })
}
