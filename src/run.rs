//! The run: what was planned, against one database, into a report.

pub mod explain;
pub mod migrations;
pub mod steps;

use std::time::{Duration, Instant};

use crate::database::catalog;
use crate::database::connection::Connection;
use crate::database::error::{Class, Error, Phase};
use crate::database::retry::{Attempts, Policy};
use crate::plan::Batch;
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::scenario::Scenario;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{Report, ScenarioReport};
use crate::step::Step;

/// What to do with a project.
pub struct Work<'a> {
    /// The project; it has no errors.
    pub project: &'a Project,
    /// Whether pending migrations are applied first.
    pub migrate: bool,
    /// The stories to run, in order.
    pub stories: Vec<Story<'a>>,
    /// How often a step or migration is tried when the connection fails under it.
    pub retry: Policy,
}

/// Steps under a title: a scenario, or what a command makes up.
pub struct Story<'a> {
    /// The title.
    pub title: &'a str,
    /// The file, empty for what a command makes up.
    pub file: &'a str,
    /// The steps.
    pub steps: &'a [Step],
}

impl<'a> From<&'a Scenario> for Story<'a> {
    fn from(scenario: &'a Scenario) -> Story<'a> {
        Story { title: &scenario.title.text, file: &scenario.source.path, steps: &scenario.steps }
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
    if let Err(stop) = all(work, connection, &mut report, emit) {
        report.stopped = Some((stop.exit, stop.diagnostics));
    }
    report.elapsed = started.elapsed();
    report
}

fn all(
    work: &Work,
    connection: &mut Connection,
    report: &mut Report,
    emit: &mut dyn FnMut(Event),
) -> Result<(), Stop> {
    if let Err(error) = connection.session(emit) {
        return Err(unreachable(connection, &error));
    }
    if work.migrate {
        migrations::run(work, connection, report, emit)?;
    }
    if work.stories.is_empty() {
        return Ok(());
    }
    let batches = compile(work, connection, emit)?;
    for (story, batches) in work.stories.iter().zip(&batches) {
        let title_width = story.steps.iter().map(|step| step.title.text.chars().count()).max();
        emit(Event::ScenarioBegun {
            title: story.title,
            file: story.file,
            title_width: title_width.unwrap_or(0),
        });
        let mut scenario =
            ScenarioReport { title: story.title.to_owned(), file: story.file.to_owned(), steps: Vec::new() };
        let result = steps::run(story.steps, batches, connection, work.retry, &mut scenario.steps, emit);
        report.scenarios.push(scenario);
        result?;
    }
    Ok(())
}

/// Compiles every step of every story before the first one runs, so that what the catalog shows to
/// be wrong is said before anything is done, all at once.
fn compile(
    work: &Work,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Vec<Batch>>, Stop> {
    let steps = || work.stories.iter().flat_map(|story| story.steps);
    let names: Vec<&str> = steps().flat_map(|step| step.action.tables(work.project)).collect();
    let catalog = if names.is_empty() {
        Default::default()
    } else {
        reading(work, connection, emit, |session| catalog::read(session, &names))?
    };
    let mut problems: Vec<Diagnostic> = Vec::new();
    let mut batches = Vec::new();
    for story in &work.stories {
        let mut compiled = Vec::new();
        for step in story.steps {
            match step.action.compile(step, work.project, &catalog) {
                Ok(batch) => compiled.push(batch),
                Err(wrong) => {
                    // Two steps that use the same fixture would say the same thing twice.
                    let new =
                        wrong.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>();
                    problems.extend(new);
                }
            }
        }
        batches.push(compiled);
    }
    if problems.is_empty() { Ok(batches) } else { Err(Stop { exit: Exit::Invalid, diagnostics: problems }) }
}

/// Reads something outside of any step, on a new connection if need be.
pub fn reading<T>(
    work: &Work,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
    mut read: impl FnMut(&mut crate::database::session::Session) -> Result<T, Error>,
) -> Result<T, Stop> {
    let mut attempts = Attempts::begin(work.retry);
    loop {
        let session = match connection.session(emit) {
            Ok(session) => session,
            Err(error) => return Err(unreachable(connection, &error)),
        };
        let error = match read(session) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let delay = if error.class(Phase::Work) == Class::Transient { attempts.next_delay() } else { None };
        let Some(delay) = delay else { return Err(unreachable(connection, &error)) };
        connection.forget();
        pause("reading the catalog", &error, attempts.made() - 1, delay, emit);
    }
}

/// Tells of a failed try, and waits for the next.
pub fn pause(title: &str, error: &Error, attempt: u32, delay: Duration, emit: &mut dyn FnMut(Event)) {
    emit(Event::Retrying { title, reason: error.to_string(), attempt, delay });
    std::thread::sleep(delay);
}

/// The end of a run whose database is out of reach, or does not want us.
pub fn unreachable(connection: &Connection, error: &Error) -> Stop {
    Stop { exit: Exit::Unreachable, diagnostics: vec![explain::connection(connection, error)] }
}
