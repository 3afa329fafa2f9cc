//! What is sent between the beginning of a step's transaction and its end, and what comes of it.

use super::attempt::Failure;
use super::bulk::{self, Broken};
use super::facts;
use super::marks::{Mark, Marks};
use crate::database::error::Error;
use crate::database::session::Session;
use crate::plan::intake::Unit;
use crate::plan::{
    Answer, Batch, Compile, CompileQuick, Guess, Judgement, Question, Quick, Reach, Scripted, Shape,
    Statement,
};
use crate::project::diagnostic::{Diagnostic, count};
use crate::report::event::Event;
use crate::step::Outcome;

/// How a step ended, or what is wrong with it.
type Judged = Result<Judgement, Vec<Diagnostic>>;

/// What came of the work.
pub struct Worked<'b> {
    /// How the step ended.
    pub judged: Judged,
    /// What the step itself has changed, where nothing else may be.
    pub reach: Option<Vec<Reach>>,
    /// What is to be asked once more before the commit.
    pub unsettled: Vec<&'b Statement>,
}

impl From<Judged> for Worked<'_> {
    fn from(judged: Judged) -> Self {
        Worked { judged, reach: None, unsettled: Vec::new() }
    }
}

/// Does what a batch says, in the transaction that was begun. Where an error is expected, it is handed back
/// as it comes.
pub fn work<'b>(
    session: &mut Session,
    batch: &'b Batch,
    expects_refusal: bool,
    marks: (&Marks, Mark),
    emit: &mut dyn FnMut(Event),
) -> Result<Worked<'b>, Failure<'b>> {
    match &batch.shape {
        Shape::Ready(question) => match session.query(&question.statement) {
            Ok(answer) => Ok(Worked {
                judged: (question.judge)(&answer),
                reach: reach(batch, &answer),
                unsettled: vec![&question.statement],
            }),
            Err(error) if expects_refusal => Err(Failure::Work(error)),
            Err(error) => Ok(Worked::from(Ok(refusal(batch, &error).ok_or(Failure::Work(error))?))),
        },
        Shape::Series { units, judge } => {
            let (answer, unsettled) = match series(session, units, expects_refusal, emit)? {
                Ok(taken) => taken,
                Err(wrong) => return Ok(Worked::from(Err(wrong))),
            };
            Ok(Worked { judged: judge(&answer), reach: reach(batch, &answer), unsettled })
        }
        Shape::Described { query, guess, quick, compile } => {
            described(session, query, guess.as_ref(), quick, compile).map(Worked::from)
        }
        Shape::Facts(all) => facts::find_out(session, all, marks, emit).map(Worked::from),
        Shape::Script { statements, outcome } => script(session, statements, *outcome).map(Worked::from),
    }
}

fn reach(batch: &Batch, answer: &Answer) -> Option<Vec<Reach>> {
    let judge = batch.deletion.as_ref().and_then(|deletion| deletion.reach.as_ref());
    judge.map(|judge| judge(answer))
}

/// Statements with rows of files between them: all of their answers, and those that are to be asked again.
#[allow(clippy::type_complexity)] // It is told in one sentence.
fn series<'b>(
    session: &mut Session,
    units: &'b [Unit],
    expects_refusal: bool,
    emit: &mut dyn FnMut(Event),
) -> Result<Result<(Answer, Vec<&'b Statement>), Vec<Diagnostic>>, Failure<'b>> {
    let (mut answers, mut unsettled) = (Answer::new(), Vec::new());
    for unit in units {
        match bulk::take(session, unit, expects_refusal, emit) {
            Ok(taken) => {
                unsettled.extend((!taken.is_settled).then_some(&unit.statement));
                answers.extend(taken.answer);
            }
            Err(Broken::Wrong(diagnostics)) => return Ok(Err(diagnostics)),
            Err(Broken::Failed(error, is_own)) if is_own => {
                return Err(Failure::Asked(error, &unit.statement));
            }
            Err(Broken::Failed(error, _)) => return Err(Failure::Work(error)),
        }
    }
    Ok(Ok((answers, unsettled)))
}

/// A query of the author's, whose columns make the statement.
fn described<'b>(
    session: &mut Session,
    query: &Statement,
    guess: Option<&Guess>,
    quick: &CompileQuick,
    compile: &Compile,
) -> Result<Judged, Failure<'b>> {
    let found = match guess {
        Some(guess) => session.guess(&guess.statement).map_err(Failure::Work)?,
        None => None,
    };
    let certain = guess.zip(found.as_ref()).and_then(|(guess, found)| (guess.judge)(found));
    match (certain, found.and_then(|found| found.description)) {
        (Some(judgement), _) => Ok(Ok(judgement)),
        // The rows have been compared already, as far as the quick way would.
        (None, Some(description)) => ask(session, compile(&description)),
        (None, None) => {
            let described = session.describe(query).map_err(Failure::Work)?;
            match quick(&described).map_or(Ok(None), |quick| ask_quickly(session, quick))? {
                Some(judgement) => Ok(Ok(judgement)),
                None => ask(session, compile(&described)),
            }
        }
    }
}

/// The author's own statements, one by one.
fn script<'b>(
    session: &mut Session,
    statements: &'b [Scripted],
    outcome: Outcome,
) -> Result<Judged, Failure<'b>> {
    for scripted in statements {
        if let Err(wrong) = send(session, scripted)? {
            return Ok(Err(wrong));
        }
    }
    let detail = (statements.len() > 1).then(|| count(statements.len(), "statement"));
    Ok(Ok(Judgement { detail, ..Judgement::of(outcome) }))
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
) -> Result<Judged, Failure<'b>> {
    let question = match question {
        Ok(question) => question,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match session.query(&question.statement) {
        Ok(answer) => Ok((question.judge)(&answer)),
        Err(error) => Err(Failure::Described(error, question.statement)),
    }
}

/// Sends a statement as it is.
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

/// The server's refusal as an end the kind knows, like a delete that a foreign key forbids.
fn refusal(batch: &Batch, error: &Error) -> Option<Judgement> {
    let server = error.server()?;
    let (_, outcome) = batch.refusals.iter().find(|(state, _)| *state == server.sqlstate)?;
    let mut problem = Diagnostic::failed(server.message.clone());
    problem.notes.extend(server.detail.clone());
    Some(Judgement { detail: server.constraint.clone(), problem: Some(problem), ..Judgement::of(*outcome) })
}
