//! A connection that is there when it is needed: made on demand, proved by use, replaced when lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::create;
use super::dsn::Dsn;
use super::error::{Class, Error, Phase};
use super::lock::{self, Holder};
use super::retry::{Attempts, Policy};
use super::session::{Cancel, Limits, Opening, Session};
use crate::report::event::Event;

/// How to reach one database.
pub struct Connection {
    /// Where it is.
    pub dsn: Dsn,
    /// The limits of each session.
    pub limits: Limits,
    /// How long to go on trying when nobody answers.
    pub wait: Duration,
    /// How much time is left, and whether somebody wants the run to end.
    pub clock: Clock,
    /// Tells this run from all others.
    pub run: String,
    /// The machine that runs it.
    pub host: String,
    /// What to find when the connection is made.
    pub need: Need,
    /// What to do with a database that is not there, and with what is written to it.
    pub mode: Mode,
    running: Running,
    session: Option<Session>,
    /// One that was begun ahead of its use.
    opening: Option<Opening>,
    /// Whether sessions are marked, which a pooler may refuse.
    is_marked: bool,
    was_told: bool,
}

/// What the work needs of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// A server that takes writes; one that does not yet is waited for.
    pub writes: bool,
    /// The lock of the run. A new connection takes it again.
    pub lock: bool,
}

/// What to do with a database that is not there, and with what is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// A database that is not there is created.
    pub creates: bool,
    /// Nothing is kept: everything is one transaction that is rolled back.
    pub rehearses: bool,
}

/// How long another runner is waited for before anybody is told.
const TOLD_AFTER: Duration = Duration::from_millis(200);

/// The least time that is spent on finding out what became of a commit.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// How long an earlier session of this run may take to end.
const OWN_ENDS_WITHIN: Duration = Duration::from_secs(2);

/// What a connection is running, for those who may have to end it from another thread.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Option<Cancel>>>);

impl Running {
    /// Whether it is the same connection.
    pub fn is(&self, other: &Running) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Asks the server to end the running statement, if there is a session.
    pub fn cancel(&self) {
        let cancel = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }
}

impl Connection {
    /// A connection that is not made yet.
    pub fn new(dsn: Dsn, limits: Limits, wait: Duration, clock: Clock) -> Connection {
        let is_marked = !dsn.looks_pooled();
        Connection {
            dsn,
            limits,
            wait,
            clock,
            run: nonce(),
            host: whoami::hostname().unwrap_or_else(|_| "unknown".to_owned()),
            need: Need::default(),
            mode: Mode::default(),
            running: Running::default(),
            session: None,
            opening: None,
            is_marked,
            was_told: false,
        }
    }

    /// Begins to connect, while the caller is still at something else. What goes wrong is told when the
    /// session is needed.
    pub fn begin(&mut self) {
        let name = self.application_name("");
        let nonce = self.is_marked.then_some(self.run.as_str());
        self.opening = Opening::begin(&self.dsn, &name, nonce).ok();
    }

    /// What it is running, to be ended from another thread.
    pub fn running(&self) -> Running {
        self.running.clone()
    }

    /// What the server calls us: the host, the run, and what it is at. No longer than the 63 bytes that
    /// the server keeps.
    pub fn application_name(&self, at: &str) -> String {
        let short =
            |text: &str, most| text.chars().filter(char::is_ascii_graphic).take(most).collect::<String>();
        let (name, host) = (short(&self.dsn.application_name, 16), short(&self.host, 24));
        format!("{name} {host} {} {at}", self.run).trim_end().to_owned()
    }

    /// The session, connecting first if there is none. What may pass, like a server that is still
    /// starting, is waited for; what cannot pass, like a wrong password, is an error at once.
    pub fn session(&mut self, emit: &mut dyn FnMut(Event)) -> Result<&mut Session, Error> {
        let session = match self.session.take().filter(|session| !session.is_spent) {
            Some(session) => session,
            None => self.ready(None, emit)?,
        };
        Ok(self.session.insert(session))
    }

    /// What the server has said on its own, if there is a session.
    pub fn notices(&mut self) -> Vec<(String, String)> {
        self.session.as_mut().map(Session::notices).unwrap_or_default()
    }

    /// Gives the session up: the next use makes a new one.
    pub fn forget(&mut self) {
        self.session = None;
    }

    /// The session, fit for writing: on a server that takes writes, and with the lock of the run. From
    /// now on every new connection is made so. Behind a pooler there is no such lock, and those of the
    /// single transactions have to do.
    ///
    /// # Errors
    ///
    /// Another runner holds the lock for longer than the limit, or what [`Connection::session`] can meet.
    pub fn writing(&mut self, emit: &mut dyn FnMut(Event)) -> Result<&mut Session, Error> {
        let is_new = !std::mem::replace(&mut self.need, Need { writes: true, lock: true }).lock;
        match self.session.take() {
            Some(session) if session.facts.is_read_only => drop(session),
            Some(session) if is_new => self.session = Some(self.ready(Some(session), emit)?),
            other => self.session = other,
        }
        self.session(emit)
    }

    /// Notes that the session took the lock of the run on its way, as [`Connection::writing`] would.
    pub fn has_lock(&mut self) {
        self.need = Need { writes: true, lock: true };
    }

    /// Finds out what became of a commit without an answer: whether `question`, about the given schema,
    /// finds a row. It is asked in a transaction that waits for the lock, and so for the end of the one
    /// that is in doubt.
    ///
    /// No signal interrupts it: it is asked on a connection of its own.
    pub fn settle(
        &mut self,
        question: impl Fn(&str) -> String,
        emit: &mut dyn FnMut(Event),
    ) -> Result<bool, Error> {
        self.forget();
        let clock = Clock::start(self.wait.max(SETTLED_WITHIN));
        let aside = Connection {
            clock,
            dsn: self.dsn.clone(),
            // A standby may not have heard of the commit yet.
            need: Need { writes: true, lock: false },
            mode: Mode::default(),
            running: Running::default(),
            session: None,
            opening: None,
            was_told: true,
            host: self.host.clone(),
            run: self.run.clone(),
            ..*self
        };
        aside.ask(&question, emit)
    }

    fn ask(mut self, question: &dyn Fn(&str) -> String, emit: &mut dyn FnMut(Event)) -> Result<bool, Error> {
        let wait = self.limits.lock;
        let mut attempts = self.tries(Duration::from_millis(250), Duration::from_secs(2), Duration::MAX);
        loop {
            let session = self.session(emit)?;
            let schema = session.schema()?;
            let lock = lock::in_transaction(&schema, wait);
            let sql = format!("begin;\n{lock}{};\nrollback", question(&schema));
            let error = match session.simple(sql, wait) {
                // The lock answers with a row too.
                Ok(answer) => return Ok(answer.len() > 1),
                Err(error) => error,
            };
            match error.server().map(|server| server.sqlstate.as_str()) {
                // What would create the table was not committed, so nothing that needs it was.
                Some("42P01") => return Ok(false),
                _ if error.class(Phase::Work) == Class::Permanent => return Err(error),
                _ => self.forget(),
            }
            match attempts.next_delay() {
                Some(delay) => self.clock.sleep(delay)?,
                None => return Err(error),
            }
        }
    }

    /// A session with the lock of the run, if that is needed: this one, or a new one. One that is cut
    /// while it waits for the lock is replaced, and the wait goes on.
    fn ready(&mut self, mut session: Option<Session>, emit: &mut dyn FnMut(Event)) -> Result<Session, Error> {
        let runner = self.limits.runner;
        let mut waits = self.tries(Duration::from_millis(25), Duration::from_secs(1), runner);
        let mut cuts = self.tries(Duration::from_millis(100), Duration::from_secs(3), self.wait.max(runner));
        loop {
            let mut session = match session.take() {
                Some(session) => session,
                None => self.open(emit)?,
            };
            if !self.need.lock {
                return Ok(session);
            }
            let error = match self.take_lock(&mut session, &mut waits, emit) {
                Ok(()) => return Ok(session),
                Err(error) => error,
            };
            let may_pass = error.class(Phase::Connect) == Class::Transient;
            match cuts.next_delay().filter(|_| may_pass) {
                Some(delay) => self.clock.sleep(delay)?,
                None => return Err(error),
            }
        }
    }

    /// Tries without a number, for as long as this and the run's own time last.
    fn tries(&self, delay_first: Duration, delay_max: Duration, total: Duration) -> Attempts {
        let total_max = self.clock.bound(total);
        Attempts::begin(Policy { attempts_max: u32::MAX, delay_first, delay_max, total_max })
    }

    fn open(&mut self, emit: &mut dyn FnMut(Event)) -> Result<Session, Error> {
        let started = Instant::now();
        let wait = self.clock.bound(self.wait);
        let mut attempts = self.tries(Duration::from_millis(100), Duration::from_secs(3), wait);
        loop {
            self.clock.check()?;
            // A single try may not outlast the wait either, yet gets a fair chance.
            let left = wait.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
            let error = match self.try_open(left, emit) {
                Ok(session) => return Ok(session),
                Err(error) if error.class(Phase::Connect) == Class::Permanent => return Err(error),
                Err(error) => error,
            };
            let Some(mut delay) = attempts.next_delay() else { return Err(error) };
            self.dsn.first = (self.dsn.first + 1) % self.dsn.hosts.len();
            if error.server().is_some_and(|server| server.sqlstate == "53300") {
                delay = delay.max(Duration::from_secs(1)); // Sessions end slowly.
            }
            emit(Event::Waiting {
                target: self.dsn.name(),
                reason: error.to_string(),
                attempt: attempts.made() - 1,
                left: wait.saturating_sub(started.elapsed()),
            });
            self.clock.sleep(delay)?;
        }
    }

    fn try_open(&mut self, left: Duration, emit: &mut dyn FnMut(Event)) -> Result<Session, Error> {
        let limits = Limits { connect: self.limits.connect.min(left), ..self.limits };
        let name = self.application_name("");
        let open = |mark: bool| {
            let nonce = mark.then_some(self.run.as_str());
            Session::open(&self.dsn, &name, nonce, limits, &self.clock)
        };
        let opened = match self.opening.take() {
            Some(opening) => opening.finish(limits, &self.clock),
            None => open(self.is_marked),
        };
        let session = match opened {
            Err(Error::Server(server)) if self.is_marked && server.refuses_options() => {
                self.is_marked = false;
                open(false)
            }
            other => other,
        };
        let mut session = match session {
            Err(Error::Server(server))
                if self.mode.creates && !self.mode.rehearses && server.sqlstate == "3D000" =>
            {
                create::database(&self.dsn, &name, limits, &self.clock)?;
                emit(Event::Created(&self.dsn.database));
                let nonce = self.is_marked.then_some(self.run.as_str());
                Session::open(&self.dsn, &name, nonce, limits, &self.clock)?
            }
            other => other?,
        };
        if self.need.writes && session.facts.is_read_only {
            return Err(Error::ReadOnly);
        }
        *self.running.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.cancel());
        if self.mode.rehearses {
            if self.was_told {
                let reason = "the connection was lost during a dry run, and with it all that was rehearsed";
                return Err(Error::Unfit(reason.to_owned()));
            }
            session.rehearse()?;
        }
        if !std::mem::replace(&mut self.was_told, true) {
            emit(Event::Connected {
                target: self.dsn.name(),
                is_unverified: session.is_unverified,
                is_pooled: session.facts.is_pooled,
            });
        }
        Ok(session)
    }

    /// Polls for the lock, and says who holds it. If it is a session that this very run has lost, nobody
    /// needs it any more: what became of its last commit was found out before. It is ended.
    fn take_lock(
        &self,
        session: &mut Session,
        waits: &mut Attempts,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let Some(schema) = session.facts.schema.clone().filter(|_| !session.facts.is_pooled) else {
            return Ok(());
        };
        let waited = self.limits.runner;
        let limit = self.limits.statement;
        let mut own = self.tries(Duration::from_millis(25), Duration::from_millis(250), OWN_ENDS_WITHIN);
        loop {
            let answer = session.simple(lock::of_session(&schema), limit)?;
            if answer.first().is_some_and(|row| row[0].as_deref() == Some("t")) {
                return Ok(());
            }
            let answer = session.simple(lock::who_holds(&schema), limit)?;
            let document = answer.first().and_then(|row| row[0].as_deref());
            let holder: Option<Holder> = document.and_then(|text| serde_json::from_str(text).ok());
            if let Some(lost) = holder.as_ref().filter(|holder| holder.is_of(&self.run)) {
                session.simple(lost.end(), limit)?;
                if let Some(delay) = own.next_delay() {
                    self.clock.sleep(delay)?;
                    continue;
                }
            }
            let Some(delay) = waits.next_delay() else {
                return Err(Error::Locked { waited, holder: holder.map(Box::new) });
            };
            let left = waited.saturating_sub(waits.elapsed());
            // The server's process of a run that has just ended may hold it for a moment longer.
            if waits.elapsed() >= TOLD_AFTER {
                emit(Event::LockHeld { holder: holder.as_ref(), attempt: waits.made() - 1, left });
            }
            self.clock.sleep(delay)?;
        }
    }
}

/// Eight hexadecimal digits that no other run is likely to have.
fn nonce() -> String {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds each of these anew from the system's randomness.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:08x}", hasher.finish() as u32)
}
