//! One try of one step: a transaction, judged inside it.

use super::explain;
use super::marks::Marks;
use super::work::work;
use crate::database::error::Error;
use crate::database::ledger::Entry;
use crate::database::lock;
use crate::database::session::Session;
use crate::plan::capture::Capture;
use crate::plan::quote::{identifier, literal};
use crate::plan::wrote::{Written, Wrote};
use crate::plan::{Access, Answer, Batch, Judgement, Shape, Statement, text};
use crate::project::diagnostic::Diagnostic;
use crate::project::values::Captured;
use crate::report::event::Event;
use crate::step::{Outcome, Step};

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
    marks: &Marks,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Failure<'b>> {
    let limits = session.limits;
    session.limits.statement = step.control.timeout.unwrap_or(limits.statement);
    let ended = transaction(session, step, batch, entered, deleted_max, marks, emit);
    session.limits = limits;
    ended
}

fn transaction<'b>(
    session: &mut Session,
    step: &Step,
    batch: &'b Batch,
    (entry, name): (&Entry, &str),
    deleted_max: Option<u64>,
    marks: &Marks,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Failure<'b>> {
    let mut first = match (&batch.shape, batch.access) {
        // Facts of several looks are facts of one moment.
        (Shape::Facts(_), Access::Read) => session.repeatable(),
        _ => String::new(),
    };
    first.push_str(&format!("set local application_name = {};\n", literal(name)));
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
        return Ok(Ok((permitted(batch, step, judgement, &Written::nothing()), None)));
    }
    let is_asked = |before: bool| batch.capture.as_ref().filter(|capture| capture.is_before == before);
    let mut captured = match is_asked(true) {
        Some(capture) => match capture_row(session, capture)? {
            Ok(captured) => captured,
            Err(problem) => {
                session.leave();
                return Ok(Err(vec![problem]));
            }
        },
        None => None,
    };
    let worked = work(session, batch, expects_refusal, (marks, step.links.since), emit)?;
    let mut judgement = match worked.judged {
        Ok(judgement) => judgement,
        Err(wrong) => {
            session.note_written();
            session.leave();
            return Ok(Err(wrong));
        }
    };
    if judgement.has_written {
        session.note_written();
    }
    if expects_refusal {
        // What would be refused at the commit is refused here.
        if judgement.has_written {
            let limit = session.limits.statement;
            session.simple("set constraints all immediate".to_owned(), limit).map_err(Failure::Work)?;
        }
        session.leave();
        return Ok(Ok((judgement, None)));
    }
    // Where nothing was found, a row that looks like it is another one.
    let has_row =
        !matches!(judgement.outcome, Outcome::NotFound | Outcome::ParentNotFound | Outcome::ParentAmbiguous);
    if let Some(capture) = is_asked(false).filter(|_| has_row) {
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
    if !is_accepted || !judgement.has_written {
        session.leave();
        return Ok(Ok((permitted(batch, step, judgement, &Written::nothing()), None)));
    }
    if let Err(wrong) = settle(session, step, batch, worked.unsettled)? {
        session.leave();
        return Ok(Err(wrong));
    }
    if batch.permits.is_some() {
        let written = session.everything_written().map_err(Failure::Work)?;
        if !written.is_counted {
            session.leave();
            return Ok(Err(vec![uncounted(step)]));
        }
        judgement = permitted(batch, step, judgement, &written);
        if judgement.outcome == Outcome::WroteOtherwise {
            session.leave();
            return Ok(Ok((judgement, None)));
        }
    }
    let mut last = String::new();
    let is_script = matches!(batch.shape, Shape::Script { .. });
    if is_script || step.control.role.is_some() {
        // What is left to the commit is the role's to do, and all behind it is ours.
        last.push_str("set constraints all immediate;\n");
        last.push_str(&if is_script { session.restoring() } else { "reset role;\n".to_owned() });
    }
    if let Some(most) = deleted_max {
        last.push_str(&session.deleted_at_most(most));
    }
    if let Some(reach) = worked.reach {
        last.push_str(&session.nothing_else(&reach));
    }
    last.push_str(&entry.enter(&schema, judgement.outcome.word()));
    match session.commit(batch.access, &last) {
        Ok(wrote) => Ok(Ok((judgement, Some(wrote)))),
        Err(error) => Err(Failure::Commit(error, judgement)),
    }
}

/// How a step ends that may write no more, and no less, than its author says.
fn permitted(batch: &Batch, step: &Step, judgement: Judgement, written: &Written) -> Judgement {
    let judge = batch.permits.as_ref().filter(|_| step.expect.accepts(judgement.outcome));
    let Some(problem) = judge.and_then(|judge| judge(written)) else { return judgement };
    let word = judgement.outcome.word();
    let note = match judgement.has_written {
        true => "what it wrote was rolled back".to_owned(),
        false => format!("it ended as `{word}`, which keeps nothing"),
    };
    let (outcome, problem) = (Outcome::WroteOtherwise, Some(problem.note(note)));
    Judgement { problem, ..Judgement::of(outcome) }
}

/// Why nobody knows what a step has written.
fn uncounted(step: &Step) -> Diagnostic {
    let span = step.changes.as_ref().map_or(step.span, |changes| changes.span);
    Diagnostic::error("the server does not count what is written")
        .at(&step.source, span)
        .help("set `track_counts = on`, which it is unless somebody turned it off")
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

/// Asks once more what has written something: whether it stays so.
fn settle<'b>(
    session: &mut Session,
    step: &Step,
    batch: &'b Batch,
    unsettled: Vec<&'b Statement>,
) -> Result<Result<(), Vec<Diagnostic>>, Failure<'b>> {
    let Some(settled) = &batch.settled else { return Ok(Ok(())) };
    let mut again = Answer::new();
    for statement in unsettled {
        match session.query(statement) {
            Ok(answer) => again.extend(answer),
            // The first time there was no such conflict.
            Err(Error::Server(server)) if server.sqlstate.starts_with("23") => {
                return Ok(Err(vec![explain::not_found_again(step, &server)]));
            }
            Err(error) => return Err(Failure::Asked(error, statement)),
        }
    }
    Ok(settled(&again))
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
    if batch.permits.is_some() {
        last.push_str(session.watching());
    }
    let Some(shortcut) = &batch.shortcut else {
        return session.begin(batch.access, first, &last).map(|_| None);
    };
    last.push_str(&format!("select 'shortcut' where {};", shortcut.condition));
    let answer = session.begin(batch.access, first, &last)?;
    let is_over = answer.iter().any(|row| text(row, 0) == "shortcut");
    let (outcome, detail) = (shortcut.outcome, Some(shortcut.detail.to_owned()));
    Ok(is_over.then_some(Judgement { detail, ..Judgement::of(outcome) }))
}
