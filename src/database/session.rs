//! One session with the server: one transaction at a time, and a limit on every wait.
//!
//! The client lives on a thread of its own, because nothing else bounds time: a server that is
//! stopped, or a network that swallows packets, answers neither keepalives' absence nor
//! `statement_timeout` (reproduced with a stopped backend). The caller waits on a channel; when the
//! limit passes, the thread is abandoned with its connection and never joined.

mod bound;
mod copy;
mod sequences;
mod transaction;
mod wait;
mod written;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use postgres::types::{ToSql, Type};
use postgres::{Client, SimpleQueryMessage};

use super::clock::Clock;
use super::describe;
use super::dsn::Dsn;
use super::error::{Error, ServerError};
use super::facts::{self, Facts};
use super::tls::{self, Tls};
use super::{ledger, lock};
use crate::plan::description::Description;
use crate::plan::wrote::{Named, Wrote};
use crate::plan::{Access, Answer, Found, Statement};
use bound::Bound;
pub use copy::Copied;
pub use sequences::{Standing, moved};
use wait::{Hurry, lost, receive};

/// Limits of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to a session that takes statements.
    pub connect: Duration,
    /// One statement of a step; zero for no limit.
    pub statement: Duration,
    /// One migration; zero for no limit.
    pub migration: Duration,
    /// Waiting for a lock that somebody else holds on a table.
    pub lock: Duration,
    /// Waiting for another runner.
    pub runner: Duration,
    /// What is added to a statement's own limit before a silent server is given up.
    pub grace: Duration,
}

/// How long a goodbye mostly takes at the most.
const GOODBYE: Duration = Duration::from_micros(300);

type Job = Box<dyn FnOnce(&mut Client) + Send>;

/// A session. Dropping it closes the connection; an open transaction is rolled back by the server.
pub struct Session {
    jobs: Option<mpsc::Sender<Job>>,
    closed: mpsc::Receiver<()>,
    cancel: Cancel,
    /// The limits it keeps.
    pub limits: Limits,
    /// The machine that runs it, as the ledger names it.
    pub host: String,
    clock: Clock,
    /// What it found out about the server.
    pub facts: Facts,
    /// Whether the connection is encrypted without knowing to whom.
    pub is_unverified: bool,
    /// Whether everything is one transaction that is never committed.
    is_rehearsal: bool,
    /// Whether a transaction of this session has written anything yet.
    has_written: bool,
    before: Vec<Wrote>,
    /// What was counted at the last savepoint.
    marked: Vec<Wrote>,
    /// The tables' files when the transaction began, if that was asked for.
    files: Vec<(String, Named, String)>,
    notices: mpsc::Receiver<(String, String)>,
    /// The last begin.
    begun: String,
    /// Whether that was for writing.
    begun_access: Access,
    /// Whether it has yet to be sent, with the next message.
    is_begin_due: bool,
    /// Whether a transaction is open that the next message ends: see [`Session::leave`].
    is_left: bool,
    /// Whether the client library keeps statements that a pooler may not bring back.
    pub is_spent: bool,
}

/// Ends the statement a session is running, from any thread.
#[derive(Clone)]
pub struct Cancel {
    token: postgres::CancelToken,
    tls: Tls,
}

impl Cancel {
    /// Asks the server to end the running statement. Says nothing of whether it did.
    pub fn cancel(&self) {
        let _ = self.token.cancel_query(self.tls.connector.clone());
    }
}

/// A session on its way: the client's thread connects and asks what the server is, and nobody waits for it
/// yet.
pub struct Opening {
    jobs: mpsc::Sender<Job>,
    closed: mpsc::Receiver<()>,
    connected: mpsc::Receiver<Result<postgres::CancelToken, Error>>,
    told: mpsc::Receiver<Result<Answer, Error>>,
    notices: mpsc::Receiver<(String, String)>,
    nonce: Option<String>,
    tls: Tls,
}

impl Opening {
    /// Begins to connect.
    pub fn begin(dsn: &Dsn, application_name: &str, nonce: Option<&str>) -> Result<Opening, Error> {
        let tls = tls::connector(dsn)
            .map_err(|error| Error::Lost { reason: error.to_string(), is_transient: false })?;
        let mut config = dsn.config();
        config.application_name(application_name);
        if let Some(nonce) = nonce {
            let own = dsn.options.as_ref().map(|options| format!("{options} ")).unwrap_or_default();
            config.options(&format!("{own}{}", facts::mark(nonce)));
        }
        let (notice, notices) = mpsc::channel();
        config.notice_callback(move |said| {
            let _ = notice.send((said.severity().to_owned(), said.message().to_owned()));
        });
        let (opened, connected) = mpsc::channel();
        let (telling, told) = mpsc::channel();
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (closing, closed) = mpsc::channel();
        let connector = tls.clone();
        thread::spawn(move || {
            let mut client = match config.connect(connector.connector) {
                Ok(client) => client,
                Err(error) => return drop(opened.send(Err(Error::from(error)))),
            };
            if opened.send(Ok(client.cancel_token())).is_err() {
                return;
            }
            let answer = simple(facts::ask())(&mut client).map_err(Error::from);
            if telling.send(answer).is_err() {
                return;
            }
            for job in inbox {
                job(&mut client);
            }
            let _ = client.close();
            let _ = closing.send(());
        });
        Ok(Opening { jobs, closed, connected, told, notices, nonce: nonce.map(str::to_owned), tls })
    }

    /// Waits until it is there.
    pub fn finish(self, limits: Limits, clock: &Clock) -> Result<Session, Error> {
        let token = receive(&self.connected, Some(limits.connect), clock, Hurry::AtOnce)??;
        let limit = limits.connect.saturating_sub(limits.grace).max(Duration::from_secs(1)) + limits.grace;
        let answer = receive(&self.told, Some(limit), clock, Hurry::AtOnce)??;
        Ok(Session {
            jobs: Some(self.jobs),
            closed: self.closed,
            is_unverified: self.tls.is_unverified,
            cancel: Cancel { token, tls: self.tls },
            limits,
            host: whoami::hostname().unwrap_or_default(),
            clock: clock.clone(),
            facts: Facts::read(&answer, self.nonce.as_deref()),
            is_rehearsal: false,
            has_written: false,
            before: Vec::new(),
            marked: Vec::new(),
            files: Vec::new(),
            notices: self.notices,
            begun: String::new(),
            begun_access: Access::Read,
            is_begin_due: false,
            is_left: false,
            is_spent: false,
        })
    }
}

impl Session {
    /// Makes one try to connect, and asks the server what it is. With a nonce the session is marked, so
    /// that a pooler in between is noticed, which may refuse it for that: see [`Facts`].
    pub fn open(
        dsn: &Dsn,
        application_name: &str,
        nonce: Option<&str>,
        limits: Limits,
        clock: &Clock,
    ) -> Result<Session, Error> {
        Opening::begin(dsn, application_name, nonce)?.finish(limits, clock)
    }

    /// From now on everything is one transaction, which is rolled back when the session ends; what are
    /// transactions otherwise are parts of it.
    pub fn rehearse(&mut self) -> Result<(), Error> {
        self.simple("begin isolation level read committed read write".to_owned(), self.limits.statement)?;
        self.is_rehearsal = true;
        Ok(())
    }

    /// Whether everything is one transaction that is rolled back.
    pub fn is_rehearsal(&self) -> bool {
        self.is_rehearsal
    }

    /// What the server has said on its own since the last time: severities and messages.
    pub fn notices(&mut self) -> Vec<(String, String)> {
        self.notices.try_iter().collect()
    }

    /// What ends the running statement, from any thread.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The schema of history and ledger.
    ///
    /// # Errors
    ///
    /// The search path names none that exists.
    pub fn schema(&self) -> Result<String, Error> {
        self.facts.schema.clone().ok_or_else(|| {
            Error::Unfit("no schema of the search path exists, or this role may not use any".to_owned())
        })
    }

    /// Makes sure that the ledger is there.
    pub fn with_ledger(&mut self) -> Result<&mut Session, Error> {
        if !self.facts.has_ledger {
            let schema = self.schema()?;
            let lock = lock::in_transaction(&schema, self.limits.runner);
            let (opening, closing) = (self.opening(Access::Write), self.closing());
            let sql = format!("{opening}{lock}{}{closing}", ledger::create(&schema));
            if let Err(error) = self.simple(sql, self.limits.runner) {
                if error.leaves_session_usable() {
                    self.rollback()?;
                }
                return Err(error);
            }
            self.facts.has_ledger = true;
        }
        Ok(self)
    }

    /// Runs a statement in one round trip, or two if a begin is due. Every column must be of type text.
    pub fn query(&mut self, statement: &Statement) -> Result<Answer, Error> {
        let sql = statement.sql.clone();
        let parameters: Vec<Bound> =
            statement.parameters.iter().map(|parameter| Bound::of(&parameter.value)).collect();
        self.clock.check()?;
        let (limit, due) = (self.limit(), self.due());
        self.call(limit, Hurry::Soon, move |client| {
            send(client, due)?;
            let parameters = parameters.iter().map(|bound| (bound, bound.sql_type()));
            // Types are named here, so that the unnamed statement is used: it takes one round trip,
            // and a pooler may hand it to any server.
            let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                parameters.map(|(bound, sql_type)| (bound as &(dyn ToSql + Sync), sql_type)).collect();
            let rows = client.query_typed(&sql, &typed)?;
            rows.iter()
                .map(|row| (0..row.len()).map(|column| row.try_get(column)).collect())
                .collect::<Result<Answer, postgres::Error>>()
        })
    }

    /// Runs a statement that returns no rows, and says how many it wrote.
    pub fn execute(&mut self, statement: &Statement) -> Result<u64, Error> {
        let sql = statement.sql.clone();
        let parameters: Vec<Bound> =
            statement.parameters.iter().map(|parameter| Bound::of(&parameter.value)).collect();
        self.clock.check()?;
        let (limit, due) = (self.limit(), self.due());
        self.call(limit, Hurry::Soon, move |client| {
            send(client, due)?;
            let parameters = parameters.iter().map(|bound| (bound, bound.sql_type()));
            let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                parameters.map(|(bound, sql_type)| (bound as &(dyn ToSql + Sync), sql_type)).collect();
            client.execute_typed(&sql, &typed)
        })
    }

    /// Asks in one round trip what a query returns, without running it. It is sent as it is, so a
    /// position in an error is a position in it. What the client library does not know of a type that
    /// is not built in costs round trips once a session: two, for an enum or a composite type two more
    /// (the first of its sort another two).
    ///
    /// A parameter whose use tells no type is made a text, in a transaction begun anew.
    pub fn describe(&mut self, query: &Statement) -> Result<Description, Error> {
        self.describe_undoing(query, |session| {
            session.leave();
            session.is_begin_due = true;
            Ok(())
        })
    }

    /// The same behind other statements of a transaction, which must not be undone: a savepoint is what is
    /// gone back to.
    pub fn describe_within(&mut self, query: &Statement) -> Result<Description, Error> {
        let limit = self.limits.statement;
        self.simple("savepoint seedbed_script".to_owned(), limit)?;
        let description = self.describe_undoing(query, |session| {
            session.simple("rollback to savepoint seedbed_script".to_owned(), limit).map(drop)
        })?;
        self.simple("release savepoint seedbed_script".to_owned(), limit)?;
        Ok(description)
    }

    fn describe_undoing(
        &mut self,
        query: &Statement,
        mut undo: impl FnMut(&mut Session) -> Result<(), Error>,
    ) -> Result<Description, Error> {
        let mut types = vec![Type::UNKNOWN; query.parameters.len()];
        loop {
            self.clock.check()?;
            let (sql, typed) = (query.sql.clone(), types.clone());
            let (limit, due) = (self.limit(), self.due());
            let described = self.call(limit, Hurry::Soon, move |client| {
                send(client, due)?;
                let statement = client.prepare_typed(&sql, &typed)?;
                let untyped = (0..typed.len()).filter(|at| typed[*at] == Type::TEXT);
                let description = describe::description(&statement, untyped.collect());
                Ok((description, describe::has_asked(&statement)))
            });
            let untyped = described.as_ref().err().and_then(untyped_parameter);
            match untyped.and_then(|number| types.get_mut(number - 1)) {
                Some(untyped) if *untyped != Type::TEXT => *untyped = Type::TEXT,
                _ => {
                    let (description, has_asked) = described?;
                    self.is_spent |= has_asked && self.facts.is_pooled;
                    return Ok(description);
                }
            }
            undo(self)?;
        }
    }

    /// Runs a query of the author's of which nothing is known yet, in one round trip. What it finds comes
    /// with the query's columns, and nothing comes back where it fails by a fault of its own: then a
    /// transaction is begun anew, and the query may be described. Types that are not built in cost what
    /// they do there, and as it is not known of an empty answer whether they did, nothing is guessed behind
    /// a pooler: see [`Session::is_spent`].
    pub fn guess(&mut self, query: &Statement) -> Result<Option<Found>, Error> {
        if self.facts.is_pooled {
            return Ok(None);
        }
        let mut types: Vec<Type> = vec![Type::UNKNOWN; query.parameters.len()];
        loop {
            self.clock.check()?;
            let bound = query.parameters.iter().map(|parameter| Bound::of(&parameter.value));
            let parameters: Vec<(Bound, Type)> = bound.zip(types.iter().cloned()).collect();
            let (sql, limit, due) = (query.sql.clone(), self.limit(), self.due());
            let found = self.call(limit, Hurry::Soon, move |client| {
                send(client, due)?;
                let typed: Vec<(&(dyn ToSql + Sync), Type)> = parameters
                    .iter()
                    .map(|(bound, sql_type)| (bound as &(dyn ToSql + Sync), sql_type.clone()))
                    .collect();
                Ok(describe::found(&client.query_typed(&sql, &typed)?, parameters.len()))
            });
            let error = match found {
                Ok(found) => return Ok(Some(found)),
                Err(error) if is_of_query(&error) => error,
                Err(error) => return Err(error),
            };
            self.leave();
            self.is_begin_due = true;
            match untyped_parameter(&error).and_then(|number| types.get_mut(number - 1)) {
                Some(untyped) if *untyped != Type::TEXT => *untyped = Type::TEXT,
                _ => return Ok(None),
            }
        }
    }

    /// Sends SQL text as it is, in one round trip; rows come back as texts. `limit` zero waits for ever.
    pub fn simple(&mut self, sql: String, limit: Duration) -> Result<Answer, Error> {
        self.clock.check()?;
        let Some(due) = self.due() else {
            return self.call(limit, Hurry::Soon, simple(sql));
        };
        let answer = self.call(limit, Hurry::Soon, simple(format!("{due}{sql}")));
        answer.map_err(|error| error.moved_back(due.len()))
    }

    /// Like [`Session::simple`], for a text that ends in COMMIT: once it is sent, a signal waits for
    /// the answer.
    pub fn simple_commit(&mut self, sql: String, limit: Duration) -> Result<Answer, Error> {
        self.has_written = true;
        self.call(limit, Hurry::Never, simple(sql))
    }

    /// Lets the client's thread do a piece of work, and waits for it no longer than `limit` and the
    /// grace. Behind a silence the session is of no more use.
    fn call<T: Send + 'static>(
        &mut self,
        limit: Duration,
        hurry: Hurry,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, doing) = mpsc::channel();
        let job: Job = Box::new(move |client| drop(done.send(work(client).map_err(Error::from))));
        self.jobs.as_ref().ok_or_else(lost)?.send(job).map_err(|_| lost())?;
        let limit = if limit.is_zero() { None } else { Some(limit + self.limits.grace) };
        match receive(&doing, limit, &self.clock, hurry) {
            Ok(result) => self.ended(result),
            Err(error) => Err(self.give_up(error)),
        }
    }

    /// The end of a piece of work. A statement that was cancelled was so by the signal, if there was one.
    fn ended<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(Error::Server(server)) if server.sqlstate == "57014" => Err(match self.clock.interrupted() {
                Some((signal, _)) => Error::Interrupted(signal),
                None => Error::Server(server),
            }),
            result => result,
        }
    }

    /// Gives the client's thread up, with its connection.
    fn give_up(&mut self, error: Error) -> Error {
        self.jobs = None;
        let cancel = self.cancel();
        let (done, cancelled) = mpsc::channel();
        // It may find the same silence, so it is not waited for as long as it may take.
        thread::spawn(move || {
            cancel.cancel();
            let _ = done.send(());
        });
        let _ = cancelled.recv_timeout(Duration::from_secs(1));
        error
    }
}

/// Whether a query has failed by itself: not for want of time, and not because of other sessions or of the
/// connection.
fn is_of_query(error: &Error) -> bool {
    let state = error.server().map(|server| server.sqlstate.as_str());
    error.leaves_session_usable()
        && state.is_some_and(|state| !matches!(state, "57014" | "40001" | "40P01" | "55P03"))
}

/// The number of the parameter of which the server finds no type, from 1.
fn untyped_parameter(error: &Error) -> Option<usize> {
    let server = error.server().filter(|server| server.sqlstate == "42P18")?;
    let digits = &server.message[server.message.find('$')? + 1..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|number| *number > 0)
}

/// Sends what is due, on its own.
fn send(client: &mut Client, due: Option<String>) -> Result<(), postgres::Error> {
    due.map_or(Ok(()), |due| client.batch_execute(&due))
}

fn simple(sql: String) -> impl FnOnce(&mut Client) -> Result<Answer, postgres::Error> {
    move |client| {
        let messages = client.simple_query(&sql)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A pooler would throw away the server's process if it got it back in a transaction.
        if let Some(jobs) =
            self.jobs.as_ref().filter(|_| self.is_spent || self.is_left && self.facts.is_pooled)
        {
            let end = self.end();
            let _ = jobs.send(Box::new(move |client| drop(client.simple_query(end))));
        }
        if self.jobs.take().is_some() {
            // A goodbye takes a moment. Who sleeps that long is woken on the processor where the server's
            // process is ending, and has to wait for it.
            let begun = Instant::now();
            while begun.elapsed() < GOODBYE {
                match self.closed.try_recv() {
                    Err(mpsc::TryRecvError::Empty) => std::hint::spin_loop(),
                    Ok(()) | Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            // Long enough for a goodbye, too short to be held up by a dead server.
            let _ = self.closed.recv_timeout(Duration::from_millis(200));
        }
    }
}

/// The server error behind an [`Error`], for callers that only care about its code.
pub fn sqlstate(error: &Error) -> Option<&str> {
    error.server().map(|server: &ServerError| server.sqlstate.as_str())
}
