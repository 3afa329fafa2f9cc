//! A connection that is there when it is needed: made on demand, proved by use, replaced when lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::dsn::Dsn;
use super::error::{Class, Error, Phase};
use super::retry::{Attempts, Policy};
use super::session::{Cancel, Limits, Session};
use crate::report::event::Event;

/// How to reach one database.
pub struct Connection {
    /// Where it is.
    pub dsn: Dsn,
    /// The limits of each session.
    pub limits: Limits,
    /// How long to go on trying when nobody answers.
    pub wait: Duration,
    /// What the server shows us as.
    pub application_name: String,
    running: Running,
    session: Option<Session>,
    was_told: bool,
}

/// What a connection is running, for those who may have to end it from another thread.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Option<Cancel>>>);

impl Running {
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
    pub fn new(dsn: Dsn, limits: Limits, wait: Duration) -> Connection {
        let application_name = "seedbed".to_owned();
        Connection {
            dsn,
            limits,
            wait,
            application_name,
            running: Running::default(),
            session: None,
            was_told: false,
        }
    }

    /// What it is running, to be ended from another thread.
    pub fn running(&self) -> Running {
        self.running.clone()
    }

    /// The session, connecting first if there is none. What may pass, like a server that is still
    /// starting, is waited for; what cannot pass, like a wrong password, is an error at once.
    pub fn session(&mut self, emit: &mut dyn FnMut(Event)) -> Result<&mut Session, Error> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.open(emit)?,
        };
        Ok(self.session.insert(session))
    }

    /// Gives the session up: the next use makes a new one.
    pub fn forget(&mut self) {
        self.session = None;
    }

    fn open(&mut self, emit: &mut dyn FnMut(Event)) -> Result<Session, Error> {
        let started = Instant::now();
        let mut attempts = Attempts::begin(Policy {
            attempts_max: u32::MAX,
            delay_first: Duration::from_millis(100),
            delay_max: Duration::from_secs(3),
            total_max: self.wait,
        });
        loop {
            // A single try may not outlast the wait either, yet gets a fair chance.
            let left = self.wait.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
            let limits = Limits { connect: self.limits.connect.min(left), ..self.limits };
            let error = match Session::open(&self.dsn, &self.application_name, limits) {
                Ok(session) => {
                    *self.running.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.cancel());
                    if !std::mem::replace(&mut self.was_told, true) {
                        emit(Event::Connected {
                            target: self.dsn.name(),
                            is_unverified: session.is_unverified,
                        });
                    }
                    return Ok(session);
                }
                Err(error) if error.class(Phase::Connect) == Class::Permanent => return Err(error),
                Err(error) => error,
            };
            let Some(delay) = attempts.next_delay() else { return Err(error) };
            emit(Event::Waiting {
                target: self.dsn.name(),
                reason: error.to_string(),
                attempt: attempts.made() - 1,
                left: self.wait.saturating_sub(started.elapsed()),
            });
            std::thread::sleep(delay);
        }
    }
}
