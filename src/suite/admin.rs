//! The sessions that make and drop databases: on another database of the server, and named like the run.

use std::time::Duration;

use crate::database::clock::Clock;
use crate::database::connection::Connection;
use crate::database::databases::Databases;
use crate::database::dsn::Dsn;
use crate::database::error::{Class, Error, Phase};
use crate::database::retry::{Attempts, Policy};
use crate::database::session::{Limits, sqlstate};
use crate::project::diagnostic::Diagnostic;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::run::{Stop, explain};

/// How to reach the server.
#[derive(Clone)]
pub struct Reach {
    /// The server, and the database that was named.
    pub dsn: Dsn,
    /// The limits of each session.
    pub limits: Limits,
    /// How long to go on trying when nobody answers.
    pub wait: Duration,
    /// How often something is tried when the connection fails under it.
    pub retry: Policy,
    /// Tells this run from all others.
    pub run: String,
}

impl Reach {
    /// A connection to a database of the server, which is not made yet.
    pub fn connection(&self, database: &str, clock: Clock) -> Connection {
        let dsn = Dsn { database: database.to_owned(), ..self.dsn.clone() };
        let mut connection = Connection::new(dsn, self.limits, self.wait, clock);
        connection.run.clone_from(&self.run);
        connection
    }
}

/// A session on a database that is neither copied nor a copy. As long as the server sees one of a run, nobody
/// takes the run for dead.
pub struct Admin {
    connection: Connection,
    retry: Policy,
    stays: bool,
}

impl Admin {
    /// Connects to a database that every server has, or to the one that was named.
    ///
    /// # Errors
    ///
    /// None lets us in, or a pooler stands between: it hands a lock of the session to somebody else.
    pub fn open(reach: &Reach, clock: &Clock, emit: &mut dyn FnMut(Event)) -> Result<Admin, Stop> {
        let named = reach.dsn.database.as_str();
        let mut names = vec!["postgres", named, "template1"];
        names.dedup();
        let mut refused = None;
        for name in names {
            let mut connection = reach.connection(name, clock.clone());
            match connection.session(emit) {
                Ok(session) if session.facts.is_pooled => {
                    return Err(Stop { exit: Exit::Unreachable, diagnostics: vec![pooled(&connection)] });
                }
                Ok(_) => {
                    return Ok(Admin { connection, retry: reach.retry, stays: false });
                }
                Err(error) if matches!(sqlstate(&error), Some("3D000" | "42501" | "28000" | "08P01")) => {
                    refused.get_or_insert(trouble(&connection, &error));
                }
                Err(error) => return Err(trouble(&connection, &error)),
            }
        }
        Err(refused.unwrap_or_else(|| {
            let problem = Diagnostic::error("no database to connect to is known");
            Stop { exit: Exit::Unreachable, diagnostics: vec![problem] }
        }))
    }

    /// Another one on the same database, whose clock no signal stops: what was begun is cleaned up.
    pub fn steady(reach: &Reach, database: &str) -> Admin {
        let connection = reach.connection(database, Clock::start(Duration::ZERO));
        Admin { connection, retry: reach.retry, stays: false }
    }

    /// The database it is on.
    pub fn database(&self) -> &str {
        &self.connection.dsn.database
    }

    /// The server it is on, as `user@host:port/name`.
    pub fn target(&self) -> String {
        self.connection.dsn.name()
    }

    /// Does something with databases, on a new connection if need be: something that is as good when it is
    /// done twice.
    pub fn act<T>(&mut self, mut work: impl FnMut(&mut Databases) -> Result<T, Error>) -> Result<T, Error> {
        let mut attempts = Attempts::begin(self.retry);
        loop {
            let error = match self.try_once(&mut work) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !error.leaves_session_usable() {
                self.connection.forget();
                self.stays = false;
            }
            let may_pass = error.class(Phase::Work) == Class::Transient;
            match attempts.next_delay().filter(|_| may_pass) {
                Some(delay) => self.connection.clock.sleep(delay)?,
                None => return Err(error),
            }
        }
    }

    fn try_once<T>(&mut self, work: &mut impl FnMut(&mut Databases) -> Result<T, Error>) -> Result<T, Error> {
        let session = self.connection.session(&mut |_| ())?;
        let mut databases = Databases::over(session);
        if !self.stays {
            databases.stay()?;
            self.stays = true;
        }
        work(&mut databases)
    }

    /// The same for what the run cannot go on without.
    pub fn must<T>(&mut self, work: impl FnMut(&mut Databases) -> Result<T, Error>) -> Result<T, Stop> {
        self.act(work).map_err(|error| self.trouble(&error))
    }

    /// What an error of [`Admin::act`] means for the run.
    pub fn trouble(&mut self, error: &Error) -> Stop {
        let mut stop = trouble(&self.connection, error);
        if sqlstate(error) == Some("55006")
            && let Ok(users) = self.act(|databases| databases.users_of_any_in(&error.to_string()))
            && let Some(first) = stop.diagnostics.first_mut()
        {
            first.notes.extend(users);
        }
        stop
    }
}

fn trouble(connection: &Connection, error: &Error) -> Stop {
    let role = &connection.dsn.user;
    let diagnostic = match sqlstate(error) {
        Some("42501") => Diagnostic::error(format!("`{role}` may not create databases: {error}"))
            .note("each scenario is tested on a database of its own, a copy of one that was migrated once")
            .help(format!(
                "let an administrator run `alter role \"{role}\" createdb`, or test on the database as it is: `--isolate none`"
            )),
        Some("53100") => Diagnostic::error(format!("the disk of the server is full: {error}"))
            .note("what this run has created is dropped")
            .help("make room for it, or run fewer at the same time: `--jobs 1`"),
        Some("55006") => Diagnostic::error(format!("a database is in use: {error}"))
            .help("end the sessions that are connected to it, as with `pg_terminate_backend`"),
        _ => explain::connection(connection, error),
    };
    Stop { exit: explain::exit(error), diagnostics: vec![diagnostic] }
}

fn pooled(connection: &Connection) -> Diagnostic {
    Diagnostic::error(format!("a pooler stands between here and {}", connection.dsn.name()))
        .note("databases that come and go, and the lock that tells a living run from a dead one, need the server itself")
        .help("name the server's own port, or test on the database as it is: `--isolate none`")
}
