//! A worker: takes one test after the other, and gives each a database.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::beginning::{Advice, Beginning, Made};
use super::copy::Source;
use super::plan::Planned;
use super::{Base, Settings, Shared, copy, ends_all};
use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::report::suite::TestReport;
use crate::report::{End, Report, StepReport};
use crate::run::{self, NEWEST, Stop, Story, Work};

/// How often it is looked whether our own session has left a database, and how many times.
const LOOKED_EVERY: Duration = Duration::from_millis(1);
const LOOKS_MAX: u32 = 100;

/// What a worker tells.
pub enum Message {
    /// The test of that number has begun.
    Begun(usize),
    /// It has ended.
    Ended(usize, Box<TestReport>),
    /// No more tests can be run.
    Stopped(Stop),
}

/// One of those who work side by side.
pub struct Worker<'a> {
    /// What all tests have in common.
    pub base: &'a Base<'a>,
    /// The tests.
    pub tests: &'a [Planned<'a>],
    /// How they are run.
    pub settings: &'a Settings,
    /// What the workers share.
    pub shared: &'a Shared,
    /// Which worker it is, counted from 0.
    pub number: usize,
    /// When the suite began.
    pub started: Instant,
    /// The session that makes and drops databases.
    pub admin: Admin,
}

impl Worker<'_> {
    /// Runs tests until there are no more, or none can be run.
    pub fn work(&mut self, tell: &Sender<Message>) {
        while let Some(at) = self.shared.next(self.tests.len()) {
            let _ = tell.send(Message::Begun(at));
            let message = match self.test(at) {
                Ok(test) => Message::Ended(at, Box::new(test)),
                Err(stop) => Message::Stopped(stop),
            };
            let is_last = match &message {
                Message::Ended(_, test) => self.settings.fails_fast && test.is_failed(),
                Message::Stopped(_) => true,
                Message::Begun(_) => false,
            };
            if is_last {
                self.shared.end();
            }
            let _ = tell.send(message);
        }
    }

    /// Runs one test.
    ///
    /// # Errors
    ///
    /// It cannot have a database, or nobody wants the run to go on.
    fn test(&mut self, at: usize) -> Result<TestReport, Stop> {
        let (base, planned) = (self.base, &self.tests[at]);
        base.clock.check().map_err(|error| self.admin.trouble(&error))?;
        let begun = Instant::now();
        let template = &self.shared.sources[&planned.from.unwrap_or(NEWEST)];
        let beginning = self.shared.beginnings.of_test(at);
        let made = beginning.and_then(|(number, beginning)| self.beginning(planned, number, beginning));
        let name = copy::name(&base.reach.run, at + 1);
        let source = made.as_ref().map_or(template, |made| &made.source);
        let copying = Instant::now();
        let copied = source.copy(&mut self.admin, &name);
        let copying = copying.elapsed();
        let copied = copied.map_err(|error| {
            // It may be there, without its settings.
            let _ = self.admin.act(|databases| databases.drop_copy(&name));
            self.admin.trouble(&error)
        });
        copied?;
        let making = begun.elapsed();
        let mut test = TestReport {
            database: name.clone(),
            worker: self.number,
            begun: self.started.elapsed(),
            making,
            ..planned.blank()
        };
        self.run(planned, made.as_ref().map_or(&[], |made| &made.reports), &mut test);
        test.elapsed = begun.elapsed() - making;
        match (beginning, made) {
            (Some((_, beginning)), Some(made)) if copying > made.worth * 2 => beginning.slow(),
            (Some((_, beginning)), None) => beginning.measured(&test.steps, copying),
            _ => {}
        }
        let ended = Instant::now();
        // What a signal has ended shows nothing.
        let is_kept = self.settings.keeps_failed && test.is_failed() && !test.exit.is_some_and(ends_all);
        match is_kept {
            true => self.keep(planned, at, &mut test),
            false => self.drop(&name, &mut test),
        }
        test.dropping = ended.elapsed();
        Ok(test)
    }

    /// A database that has the test's beginning, if there is one or it is worth to make one.
    fn beginning(&mut self, planned: &Planned, number: usize, beginning: &Beginning) -> Option<Made> {
        let worth = match beginning.begin() {
            Advice::Take(made) => return Some(*made),
            Advice::Run => return None,
            Advice::Make { worth } => worth,
        };
        let made = self.make(planned, number, beginning.steps, worth);
        beginning.made(made.clone());
        made
    }

    fn make(&mut self, planned: &Planned, number: usize, steps: usize, worth: Duration) -> Option<Made> {
        let base = self.base;
        let template = &self.shared.sources[&planned.from.unwrap_or(NEWEST)];
        let name = copy::name(&base.reach.run, self.tests.len() + 1 + number);
        let mut reports = None;
        if template.copy(&mut self.admin, &name).is_ok() {
            let scenario = planned.scenario;
            let story = Story {
                title: &scenario.title.text,
                file: &scenario.source.path,
                steps: &scenario.steps[..steps],
                done: &[],
            };
            let report = base.on(&name, |connection| once(base, self.settings, (story, "0"), connection));
            let (exit, steps) = taken(report, &mut Vec::new());
            let is_closed = exit == Some(Exit::Held)
                && self.others(&name).is_empty()
                && self.admin.act(|databases| databases.close(&name)).is_ok();
            reports = is_closed.then_some(steps);
        }
        let Some(mut reports) = reports else {
            let _ = self.admin.act(|databases| databases.drop_copy(&name));
            return None;
        };
        for report in &mut reports {
            // It is as it was there, and was not run here.
            (report.attempts, report.elapsed, report.begun) = Default::default();
            let shared = "in the copy already".to_owned();
            report.detail = Some(report.detail.take().map_or(shared.clone(), |it| format!("{it}, {shared}")));
        }
        Some(Made { source: Source { name, ..template.clone() }, reports, worth })
    }

    fn run(&mut self, planned: &Planned, done: &[StepReport], test: &mut TestReport) {
        let database = test.database.clone();
        self.base.on(&database, |connection| {
            as_asked(self.base, self.settings, (planned, ""), done, connection, test);
        });
        if test.exit.is_some_and(ends_all) {
            self.shared.end();
        }
    }

    /// Keeps a database under a name that says what it was.
    fn keep(&mut self, planned: &Planned, at: usize, test: &mut TestReport) {
        let kept = copy::kept_name(planned.scenario.source.stem(), &self.base.reach.run, at + 1);
        let renamed = self.admin.act(|databases| databases.rename(&test.database, &kept));
        match renamed {
            Ok(()) => test.database = kept,
            Err(error) => test.problems.push(
                Diagnostic::warning(format!("`{}` could not be renamed: {error}", test.database))
                    .help("look at it before the next `seedbed test`, which drops it"),
            ),
        }
        test.kept = Some(copy::psql(&self.base.reach.dsn, &test.database));
    }

    /// Drops a database, whoever is still connected to it.
    fn drop(&mut self, name: &str, test: &mut TestReport) {
        let others = self.others(name);
        if !others.is_empty() {
            let mut problem = Diagnostic::warning("the scenario left a session open, which was ended");
            problem.notes = others;
            test.problems.push(problem.help("close it in the scenario, as with `dblink_disconnect`"));
        }
        if let Err(error) = self.admin.act(|databases| databases.drop_copy(name)) {
            test.problems.push(undropped(name, &error));
        }
    }

    /// Who is connected to a database beside our own session, once that is gone. The server says so a moment
    /// behind us; asked before that to drop or to copy the database, it would look again after a tenth of a
    /// second.
    fn others(&mut self, name: &str) -> Vec<String> {
        let run = &self.base.reach.run;
        let mut looks = 0;
        loop {
            let users = self.admin.act(|databases| databases.users(name)).unwrap_or_default();
            let (own, others): (Vec<_>, Vec<_>) = users.into_iter().partition(|it| it.contains(run.as_str()));
            looks += 1;
            if own.is_empty() || looks == LOOKS_MAX {
                return others;
            }
            thread::sleep(LOOKED_EVERY);
        }
    }
}

/// That a database is left.
pub fn undropped(name: &str, error: &Error) -> Diagnostic {
    Diagnostic::warning(format!("the database `{name}` could not be dropped: {error}"))
        .note("the next `seedbed test` on this server tries again")
        .help(format!("end what holds it, then: drop database \"{name}\""))
}

/// Runs a test on the database of a connection, once or twice. What is done of it already is not run the first
/// time; `prefix` tells its runs from those of other tests on the same database.
pub fn as_asked(
    base: &Base,
    settings: &Settings,
    (planned, prefix): (&Planned, &str),
    done: &[StepReport],
    connection: &mut Connection,
    test: &mut TestReport,
) {
    let begun = Instant::now();
    let mut run = |time: u32, done: &[StepReport]| {
        let story = Story { done, ..Story::from(planned.scenario) };
        once(base, settings, (story, &format!("{prefix}{time}")), connection)
    };
    (test.exit, test.steps) = taken(run(1, done), &mut test.problems);
    if settings.twice && test.exit == Some(Exit::Held) {
        // What was done before an upgrade is of a schema that is not there any more.
        let steps = &planned.scenario.steps;
        let upgraded = steps.iter().rposition(|step| step.action.migrates().is_some()).unwrap_or(0);
        let before = begun.elapsed();
        let report = run(2, &test.steps[..upgraded]);
        again(report, upgraded, test);
        test.again.iter_mut().for_each(|step| step.begun += before);
    }
}

/// Runs a story on the database of a connection, as a run of its own: by that its entries in the ledger
/// are told from those of others.
fn once(
    base: &Base,
    settings: &Settings,
    (story, number): (Story, &str),
    connection: &mut Connection,
) -> Report {
    connection.run = format!("{}.{number}", base.reach.run);
    let work = Work {
        project: base.project,
        migrate: None,
        stories: vec![story],
        retry: base.reach.retry,
        guard: settings.guard.clone(),
        update: None,
        keeps_sent: settings.keeps_sent,
    };
    // What is to be said beside its steps is said of the template: the same of the connection, and of what is
    // dangerous about migrations where a database is in use.
    run::run(&work, connection, &mut |_| ())
}

/// Takes the report of a second time from a step on, in which none may have written anything.
fn again(report: Report, from: usize, test: &mut TestReport) {
    (test.exit, test.again) = taken(report, &mut test.problems);
    test.again.drain(..from.min(test.again.len()));
    let wrote = test.again.iter_mut().filter(|step| !step.wrote.is_empty());
    if wrote.map(refuse).count() > 0 && test.exit == Some(Exit::Held) {
        test.exit = Some(Exit::DidNotHold);
    }
}

/// The exit status and the steps of a report; what stopped it goes to the problems.
fn taken(report: Report, problems: &mut Vec<Diagnostic>) -> (Option<Exit>, Vec<StepReport>) {
    let exit = report.exit();
    problems.extend(report.stopped.into_iter().flat_map(|(_, diagnostics)| diagnostics));
    (Some(exit), report.scenarios.into_iter().flat_map(|scenario| scenario.steps).collect())
}

/// Lets a step of a second time not hold, because it wrote something.
fn refuse(step: &mut StepReport) {
    if let End::Accepted(outcome) = step.end {
        step.end = End::Refused(outcome);
    }
    let wrote: Vec<String> = step.wrote.iter().map(|wrote| wrote.words()).collect();
    let message = format!("{} `{}`: a second time, it writes again", step.kind, step.title);
    step.diagnostics.push(
        Diagnostic::failed(message)
            .at_place(step.place.clone())
            .note(format!("it wrote {}", wrote.join("; ")))
            .note("the scenario had been run once before on the same database, and all of it had held")
            .help("let it leave alone what is there: `mode: if-empty` or `insert`, or a `key`"),
    );
}
