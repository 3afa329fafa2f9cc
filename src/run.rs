//! The run: what was planned, against one database, into a report.

pub mod attempt;
pub mod bulk;
pub mod compile;
pub mod ending;
pub mod explain;
pub mod facts;
pub mod foresee;
pub mod guard;
pub mod marks;
pub mod migrations;
pub mod refusal;
pub mod snapshot;
pub mod steps;
pub mod tries;
pub mod update;
pub mod work;

use std::time::{Duration, Instant};

use crate::database::connection::Connection;
use crate::database::error::{Class, Error, Phase};
use crate::database::retry::{Attempts, Policy};
use crate::database::session::Session;
use crate::plan::Access;
use crate::plan::catalog::Catalog;
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::scenario::Scenario;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{Report, ScenarioReport, StepReport};
use crate::step::Step;
use guard::Guard;
use update::Update;

/// The version of the newest migration, whichever it is.
pub const NEWEST: i32 = i32::MAX;

/// What to do with a project.
pub struct Work<'a> {
    /// The project; it has no errors.
    pub project: &'a Project,
    /// The version up to which pending migrations are applied first; none are without it.
    pub migrate: Option<i32>,
    /// The stories to run, in order.
    pub stories: Vec<Story<'a>>,
    /// How often a step or migration is tried when the connection fails under it.
    pub retry: Policy,
    /// What steps may do to the database.
    pub guard: Guard,
    /// What becomes of expectations that do not hold; without it they are left as they are.
    pub update: Option<Update<'a>>,
    /// Whether the report has what steps send.
    pub keeps_sent: bool,
}

/// Steps under a title: a scenario, or what a command makes up.
pub struct Story<'a> {
    /// The title.
    pub title: &'a str,
    /// The file, empty for what a command makes up.
    pub file: &'a str,
    /// The steps.
    pub steps: &'a [Step],
    /// What the first of them reported elsewhere, where the database has them already. They are not run.
    pub done: &'a [StepReport],
}

impl<'a> From<&'a Scenario> for Story<'a> {
    fn from(scenario: &'a Scenario) -> Story<'a> {
        Story { title: &scenario.title.text, file: &scenario.source.path, steps: &scenario.steps, done: &[] }
    }
}

/// Why a run ended early.
pub struct Stop {
    /// The exit status.
    pub exit: Exit,
    /// What to tell.
    pub diagnostics: Vec<Diagnostic>,
}

/// Does the work and tells about it, event by event and in the report.
pub fn run(work: &Work, connection: &mut Connection, emit: &mut dyn FnMut(Event)) -> Report {
    let started = Instant::now();
    let mut report = Report { target: connection.dsn.name(), ..Report::default() };
    if let Err(stop) = Run::new(work, connection, emit).all(&mut report) {
        report.stopped = Some((stop.exit, stop.diagnostics));
    }
    report.run = connection.run.clone();
    report.is_rehearsal = connection.mode.rehearses;
    report.elapsed = started.elapsed();
    let diagnostics = report.stopped.as_ref().map_or(&[][..], |(_, diagnostics)| diagnostics);
    emit(Event::Ended { exit: report.exit().code(), elapsed: report.elapsed, diagnostics });
    report
}

/// Some work on its way through one database.
pub struct Run<'a> {
    work: &'a Work<'a>,
    connection: &'a mut Connection,
    emit: &'a mut dyn FnMut(Event),
    started: Instant,
    steps_begun: usize,
    /// What the catalog says of the tables that steps name.
    catalog: Catalog,
    /// That the database is ahead of the files, if it is and nobody was told yet.
    ahead: Option<Diagnostic>,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(
        work: &'a Work<'a>,
        connection: &'a mut Connection,
        emit: &'a mut dyn FnMut(Event),
    ) -> Run<'a> {
        Run {
            work,
            connection,
            emit,
            started: Instant::now(),
            steps_begun: 0,
            catalog: Catalog::default(),
            ahead: None,
        }
    }

    fn all(&mut self, report: &mut Report) -> Result<(), Stop> {
        if let Err(error) = self.connection.session(self.emit) {
            return Err(self.stop(&error));
        }
        let work = self.work;
        self.check_name()?;
        if let Some(upto) = work.migrate {
            self.migrate(upto, report)?;
        }
        if work.stories.is_empty() {
            return Ok(());
        }
        let batches = self.compile(0, report)?;
        self.check_environment()?;
        for (story, batches) in work.stories.iter().zip(batches) {
            let title_width = story.steps.iter().map(|step| step.title.text.chars().count()).max();
            (self.emit)(Event::ScenarioBegun {
                title: story.title,
                file: story.file,
                title_width: title_width.unwrap_or(0),
            });
            let (title, file) = (story.title.to_owned(), story.file.to_owned());
            let mut scenario = ScenarioReport { title, file, steps: Vec::new() };
            let result = self.story(story, batches, &mut scenario.steps, report);
            report.scenarios.push(scenario);
            result?;
        }
        Ok(())
    }

    /// Reads something outside of any step, on a new connection if need be.
    pub fn reading<T>(
        &mut self,
        what: &str,
        read: impl FnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Stop> {
        self.outside(what, Access::Read, read)
    }

    /// Writes something outside of any step, on a new connection if need be: something that is as good
    /// when it is done twice.
    pub fn writing<T>(
        &mut self,
        what: &str,
        write: impl FnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Stop> {
        self.outside(what, Access::Write, write)
    }

    fn outside<T>(
        &mut self,
        what: &str,
        access: Access,
        mut work: impl FnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Stop> {
        let mut attempts = Attempts::begin(self.work.retry);
        loop {
            let session = match access {
                Access::Read => self.connection.session(self.emit),
                Access::Write => self.connection.writing(self.emit),
            };
            let session = match session {
                Ok(session) => session,
                Err(error) => return Err(self.stop(&error)),
            };
            let error = match work(session) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let may_pass = error.class(Phase::Work) == Class::Transient;
            let Some(delay) = attempts.next_delay().filter(|_| may_pass) else {
                return Err(self.stop(&error));
            };
            self.connection.forget();
            self.pause(what, &error, attempts.made() - 1, delay)?;
        }
    }

    /// Tells what the server has said on its own.
    fn tell_notices(&mut self) {
        for (severity, message) in self.connection.notices() {
            (self.emit)(Event::Noticed { severity, message });
        }
    }

    /// Tells of a failed try, and waits for the next.
    fn pause(&mut self, title: &str, error: &Error, attempt: u32, delay: Duration) -> Result<(), Stop> {
        (self.emit)(Event::Retrying { title, reason: error.to_string(), attempt, delay });
        self.connection.clock.sleep(delay).map_err(|error| self.stop(&error))
    }

    /// The end of a run whose database is out of reach or does not want us, or that was told to end.
    fn stop(&self, error: &Error) -> Stop {
        explain::stop(self.connection, error)
    }
}
