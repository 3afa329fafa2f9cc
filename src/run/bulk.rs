//! A batch of several statements, with the rows of files between them.
//!
//! Which statements are sent depends on what the table holds: an empty one is filled by COPY alone, one
//! that was filled before is compared first. What the short way cannot vouch for is undone to a savepoint,
//! and left to the statement that fits all cases.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::explain;
use crate::database::error::Error;
use crate::database::session::{Copied, Session};
use crate::plan::cell::inexact;
use crate::plan::fit::Fit;
use crate::plan::intake::{Intake, Short, Unit};
use crate::plan::{Answer, Statement, number, text};
use crate::project::bulk::Pick;
use crate::project::bulk::csv::Record;
use crate::project::diagnostic::Diagnostic;
use crate::report::event::{Copying, Event};

/// The savepoint before the short way.
const SHORT: &str = "seedbed_short";
/// How often it is told how far a file is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// What a unit came to.
pub struct Taken {
    /// What it answers, as its statement would.
    pub answer: Answer,
    /// Whether the short way was gone: then what it wrote has been looked at again.
    pub is_settled: bool,
}

/// What kept a unit from its end.
pub enum Broken {
    /// Something is wrong with the rows.
    Wrong(Vec<Diagnostic>),
    /// The server or the connection failed, maybe in the unit's own statement.
    Failed(Error, bool),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Broken {
        Broken::Failed(error, false)
    }
}

/// Does one unit. Where an error is expected, it is handed back as it comes.
pub fn take(
    session: &mut Session,
    unit: &Unit,
    expects_refusal: bool,
    emit: &mut dyn FnMut(Event),
) -> Result<Taken, Broken> {
    if let (Some(short), [intake]) = (&unit.short, unit.intakes.as_slice()) {
        if let Some(answer) =
            (Bulk { session: &mut *session, intake, expects_refusal, emit: &mut *emit }).shortly(short)?
        {
            return Ok(Taken { answer, is_settled: true });
        }
    } else {
        for intake in &unit.intakes {
            Bulk { session: &mut *session, intake, expects_refusal, emit: &mut *emit }.stage()?;
        }
    }
    let answer = session.query(&unit.statement).map_err(|error| Broken::Failed(error, true))?;
    Ok(Taken { answer, is_settled: false })
}

/// Lays the rows of a file into their temporary table.
pub fn stage(session: &mut Session, intake: &Intake, emit: &mut dyn FnMut(Event)) -> Result<(), Broken> {
    Bulk { session, intake, expects_refusal: false, emit }.stage().map(drop)
}

/// One file on its way.
struct Bulk<'a> {
    session: &'a mut Session,
    intake: &'a Intake,
    /// Whether nobody wants words for an error, but the error.
    expects_refusal: bool,
    emit: &'a mut dyn FnMut(Event),
}

impl Bulk<'_> {
    /// Goes the short way. Where that does not lead to the end, the rows lie in their temporary table.
    fn shortly(&mut self, short: &Short) -> Result<Option<Answer>, Broken> {
        // What begins the transaction answers before it, if that was due.
        let state: Answer = self.simple(&short.table)?.pop().into_iter().collect();
        let (is_empty, may_copy) = (is_true(&state, 0), is_true(&state, 1));
        if short.is_if_empty && !is_empty {
            return Ok(Some(vec![told("there", short.number, 1)]));
        }
        if let Some(straight) = short.straight.as_ref().filter(|_| is_empty && may_copy)
            && let Some(copied) = self.straight(straight)?
        {
            return Ok(Some(created(short, copied.rows)));
        }
        let rows = self.stage()?;
        self.session.mark(SHORT)?;
        match self.apply(short, rows, is_empty) {
            Ok(Some(answer)) => return Ok(Some(answer)),
            Ok(None) => {}
            Err(Error::Server(server)) if is_about_rows(&server.sqlstate) => {}
            Err(error) => return Err(error.into()),
        }
        self.session.undo(SHORT)?;
        Ok(None)
    }

    /// Copies straight into the table. What a constraint says against it is told better by the other ways.
    fn straight(&mut self, sql: &str) -> Result<Option<Copied>, Broken> {
        self.session.mark(SHORT)?;
        match self.copy(sql)? {
            Ok(copied) => Ok(Some(copied)),
            Err(error) => {
                let server = error.server().filter(|server| is_about_rows(&server.sqlstate));
                let Some(server) = server else { return Err(error.into()) };
                // Of two rows with one key, the server knows the second.
                let told = explain::copied(self.intake, server).filter(|_| server.sqlstate != "23505");
                if let Some(told) = told.filter(|_| !self.expects_refusal) {
                    return Err(Broken::Wrong(vec![told]));
                }
                self.session.undo(SHORT)?;
                Ok(None)
            }
        }
    }

    /// Lays the rows into their temporary table, and says how many they are.
    fn stage(&mut self) -> Result<u64, Broken> {
        self.simple(&self.intake.create.clone())?;
        match self.copy(&self.intake.copy.clone())? {
            Ok(copied) => Ok(copied.rows),
            Err(error) => match error.server().and_then(|server| explain::copied(self.intake, server)) {
                Some(told) if !self.expects_refusal => Err(Broken::Wrong(vec![told])),
                _ => Err(error.into()),
            },
        }
    }

    /// Writes what is missing or differs; none when the counts do not tell that all is well.
    fn apply(&mut self, short: &Short, rows: u64, is_empty: bool) -> Result<Option<Answer>, Error> {
        if is_empty {
            let inserted = self.session.execute(&short.insert_all)?;
            if inserted != rows || !self.is_settled(short, rows)? {
                return Ok(None);
            }
            return self.answer(short, [inserted, 0, 0, 0]).map(Some);
        }
        let sampled = self.session.query(&short.sample)?;
        if !is_true(&sampled, 0) {
            let inserted = self.session.execute(&short.insert_new)?;
            if inserted == rows {
                let is_settled = self.is_settled(short, rows)?;
                return if is_settled { self.answer(short, [inserted, 0, 0, 0]).map(Some) } else { Ok(None) };
            }
            let ([total, there, differing, unresolved], _) = self.compared(short)?;
            let is_over = unresolved == 0 && total == rows && there == rows;
            if is_over && (differing == 0 || short.update.is_none()) && !short.has_trigger {
                return Ok(Some(self.answer(short, [inserted, rows - inserted, 0, differing])?));
            }
            return Ok(None);
        }
        let ([total, there, differing, unresolved], places) = self.compared(short)?;
        if unresolved > 0 || total != rows {
            return Ok(None);
        }
        let inserted = if there < rows { self.session.execute(&short.insert_new)? } else { 0 };
        if inserted != rows - there {
            return Ok(None);
        }
        let mut updated = 0;
        if let Some(update) = short.update.as_ref().filter(|_| differing > 0) {
            let counted = match short.update_at.as_ref().zip(places) {
                Some((update, places)) => self.session.query(&update.with_first(&places))?,
                None => self.session.query(update)?,
            };
            let [count, named] = [0, 1].map(|at| counted.first().map_or(0, |row| number(row, at) as u64));
            if count != differing || named != differing {
                return Ok(None); // Two rows of the file are one of the table.
            }
            updated = count;
        }
        if (inserted > 0 || updated > 0) && !self.is_settled(short, rows)? {
            return Ok(None);
        }
        Ok(Some(self.answer(short, [inserted, there, updated, differing - updated])?))
    }

    fn answer(&mut self, short: &Short, counts: [u64; 4]) -> Result<Answer, Error> {
        let [inserted, there, updated, kept] = counts;
        if inserted > 0 {
            for raise in &short.raise {
                self.session.simple(raise.clone(), self.session.limits.statement)?;
            }
        }
        let mut answer = created(short, inserted);
        answer.push(told("there", short.number, there));
        answer.push(told("updated", short.number, updated));
        answer.push(told("kept", short.number, kept));
        Ok(answer)
    }

    /// Whether no trigger has made something else of what was written.
    fn is_settled(&mut self, short: &Short, rows: u64) -> Result<bool, Error> {
        if !short.has_trigger {
            return Ok(true);
        }
        let ([total, there, differing, _], _) = self.compared(short)?;
        Ok(total == rows && there == rows && (differing == 0 || short.update.is_none()))
    }

    /// The counts of all rows, and the places of those that differ, if they are few.
    fn compared(&mut self, short: &Short) -> Result<([u64; 4], Option<String>), Error> {
        let counted = self.session.query(&short.compare)?.pop().unwrap_or_default();
        let counts = [0, 1, 2, 3].map(|at| number(&counted, at) as u64);
        Ok((counts, counted.into_iter().nth(4).flatten()))
    }

    fn copy(&mut self, sql: &str) -> Result<Result<Copied, Error>, Broken> {
        let (file, emit, started) = (&self.intake.file, &mut *self.emit, Instant::now());
        let mut told = Duration::ZERO;
        let mut tell = |Copied { rows, bytes, .. }: Copied| {
            let (file, of, elapsed) = (file.path.as_str(), file.bytes, started.elapsed());
            if elapsed >= told + TOLD_EVERY {
                told = elapsed;
                emit(Event::Copying(Copying { file, rows, bytes, of, elapsed }));
            }
        };
        match self.session.copy(sql, self.intake, &mut tell) {
            Ok(Ok(copied)) => {
                if copied.is_doubtful {
                    self.settle_doubts()?;
                }
                Ok(Ok(copied))
            }
            Ok(Err(problem)) => Err(Broken::Wrong(vec![*problem])),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Reads the file again and asks the server about values that nobody else can tell to fit.
    fn settle_doubts(&mut self) -> Result<(), Broken> {
        let wrong = |problem| Broken::Wrong(vec![problem]);
        let mut rows = self.intake.file.rows(&self.intake.pick).map_err(wrong)?;
        let mut doubts = Doubts::default();
        loop {
            let is_over = match rows.next().map_err(wrong)? {
                Some(record) => {
                    doubts.rows += 1;
                    let number = match self.intake.pick {
                        Pick::All | Pick::Written => doubts.rows,
                        Pick::Objects(_) => record.line as usize,
                    };
                    doubts.note(self.intake, &record, number);
                    false
                }
                None => true,
            };
            if is_over || doubts.is_full() {
                for (column, texts) in doubts.take() {
                    self.ask(column, texts)?;
                }
            }
            if is_over {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, column: usize, doubts: Vec<(usize, String)>) -> Result<(), Broken> {
        let fitting = &self.intake.fittings[column];
        let Some(question) = &fitting.question else { return Ok(()) };
        let mut statement = Statement::default();
        let list = statement.bind_list(doubts.iter().map(|(_, text)| Some(text.clone())).collect());
        statement.sql = format!(
            "select q.n::text, q.changed from (select u.n, {question} as changed from unnest({list}::text[]) with ordinality u(t, n)) q where q.changed is not null order by q.n limit 1"
        );
        let answer = self.session.query(&statement)?;
        let Some(row) = answer.first() else { return Ok(()) };
        let (row_number, value) = &doubts[number(row, 0).saturating_sub(1)];
        let problem = inexact(value, &fitting.exactly, text(row, 1));
        let place = self
            .intake
            .file
            .row(*row_number, &self.intake.pick)
            .and_then(|found| found.places.get(column).cloned());
        Err(Broken::Wrong(vec![match place {
            Some(place) => problem.at_place(place),
            None => problem,
        }]))
    }

    fn simple(&mut self, sql: &str) -> Result<Answer, Error> {
        self.session.simple(sql.to_owned(), self.session.limits.statement)
    }
}

/// Values in doubt, by the file's column, each with the number of its row.
#[derive(Default)]
struct Doubts {
    rows: usize,
    values: BTreeMap<usize, Vec<(usize, String)>>,
    count: usize,
}

impl Doubts {
    /// How many are asked about at once.
    const MOST: usize = 10_000;

    fn note(&mut self, intake: &Intake, record: &Record, number: usize) {
        for (at, fitting) in intake.fittings.iter().enumerate() {
            let text = record.text(at);
            if let (Fit::Doubtful, Some(text)) = (fitting.look(text.as_deref()), text) {
                self.values.entry(at).or_default().push((number, text.into_owned()));
                self.count += 1;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.count >= Doubts::MOST
    }

    fn take(&mut self) -> BTreeMap<usize, Vec<(usize, String)>> {
        self.count = 0;
        std::mem::take(&mut self.values)
    }
}

fn created(short: &Short, rows: u64) -> Answer {
    vec![told("created", short.number, rows), told("wanted", short.number, rows)]
}

/// A row of an answer, as the statement of a unit would give it.
fn told(what: &str, load: usize, count: u64) -> Vec<Option<String>> {
    vec![Some(what.to_owned()), Some(load.to_string()), Some(count.to_string()), None, None]
}

fn is_true(answer: &Answer, column: usize) -> bool {
    answer.first().is_some_and(|row| text(row, column) == "true")
}

/// Whether a server's error is about values or constraints, or about a way that is not open.
fn is_about_rows(sqlstate: &str) -> bool {
    ["22", "23", "42501", "0A000", "428C9", "P0"].iter().any(|class| sqlstate.starts_with(class))
}
