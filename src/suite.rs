//! THE SUITE: scenarios, each on a database of its own, side by side, into one report.
//!
//! ```text
//! scenarios ─select─▶ Planned ─workers─▶ copy, run, drop ─▶ TestReports in their order ─▶ SuiteReport
//! ```

pub mod admin;
pub mod alone;
pub mod beginning;
pub mod copy;
pub mod filter;
pub mod plan;
pub mod template;
pub mod watched;
pub mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::database::clock::Clock;
use crate::database::connection::Connection;
use crate::project::Project;
use crate::project::diagnostic::Severity;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::suite::{SuiteReport, TestReport};
use crate::run::guard::Guard;
use crate::run::{NEWEST, Stop};
use admin::{Admin, Reach};
use beginning::Beginnings;
use copy::Source;
use plan::Planned;
use watched::Watched;
use worker::{Message, Worker};

/// What all tests of a run have in common.
pub struct Base<'a> {
    /// The project; it has no errors.
    pub project: &'a Project,
    /// How to reach the server.
    pub reach: Reach,
    /// How much time is left, and whether somebody wants the run to end.
    pub clock: Clock,
    /// What is running, for whoever ends it.
    pub watched: Watched,
}

impl Base<'_> {
    /// Does something with a connection to a database, which is not made yet; a signal ends what it runs.
    pub fn on<T>(&self, database: &str, work: impl FnOnce(&mut Connection) -> T) -> T {
        let mut connection = self.reach.connection(database, self.clock.clone());
        let running = connection.running();
        self.watched.add(running.clone());
        let done = work(&mut connection);
        self.watched.remove(&running);
        done
    }
}

/// How tests are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most tests at the same time; there are fewer where the server has no room for them.
    pub jobs: usize,
    /// Whether the first one that does not hold ends it all.
    pub fails_fast: bool,
    /// Whether the database of one that does not hold is kept.
    pub keeps_failed: bool,
    /// Whether each scenario is run a second time, and must write nothing then.
    pub twice: bool,
    /// Whether the report has what steps send.
    pub keeps_sent: bool,
    /// What steps may do.
    pub guard: Guard,
}

/// What is told while it happens.
pub enum Told<'t> {
    /// Something about the template, or about a test that is running.
    Event(&'t Event<'t>),
    /// The template is there, and the first tests begin: a report that has no tests yet.
    Ready(&'t SuiteReport),
    /// A test has begun, and so many are over.
    Begun(&'t Planned<'t>, usize),
    /// A test has ended.
    Ended(&'t TestReport),
    /// The next test in the order of the report, when it and all before it are over.
    Next(&'t TestReport),
}

/// Runs tests, each on a copy of a template.
pub fn run(base: &Base, tests: &[Planned], settings: &Settings, tell: &mut dyn FnMut(Told)) -> SuiteReport {
    let started = Instant::now();
    let mut report = blank(&base.reach, tests, settings);
    if let Err(mut stop) = isolated(base, tests, settings, &mut report, tell) {
        if ends_all(stop.exit) {
            // Of a run that was told to end, what was committed would stay; here it went with its database.
            for problem in &mut stop.diagnostics {
                problem.notes = vec!["the databases of the tests that were running are dropped".to_owned()];
                problem.help = Some("`seedbed test --rerun-failed` runs those that were not over".to_owned());
            }
        }
        report.stopped = Some((stop.exit, stop.diagnostics));
    }
    report.elapsed = started.elapsed();
    report
}

/// The report of a suite that has not begun.
pub fn blank(reach: &Reach, tests: &[Planned], settings: &Settings) -> SuiteReport {
    SuiteReport {
        jobs: settings.jobs,
        tests: tests.iter().map(Planned::blank).collect(),
        ..SuiteReport::new(reach.run.clone(), reach.dsn.name())
    }
}

fn isolated(
    base: &Base,
    tests: &[Planned],
    settings: &Settings,
    report: &mut SuiteReport,
    tell: &mut dyn FnMut(Told),
) -> Result<(), Stop> {
    let started = Instant::now();
    let mut admin = Admin::open(&base.reach, &base.clock, &mut |event| tell(Told::Event(&event)))?;
    report.target = admin.target();
    let server = admin.must(|databases| databases.server())?;
    report.server.clone_from(&server.version);
    // Each worker has a session on its test's database, and one beside it.
    report.jobs = settings.jobs.min(server.free / 2).max(1);
    copy::sweep(&mut admin, &base.reach.run);
    template::remove_stale(&mut admin);
    let mut sources = BTreeMap::new();
    for upto in tests.iter().map(|test| test.from.unwrap_or(NEWEST)).collect::<BTreeSet<_>>() {
        let template =
            template::ensure(base, &server, &mut admin, upto, &mut |event| tell(Told::Event(&event)))?;
        let settings = admin.must(|databases| databases.settings(&template.name))?;
        sources.insert(upto, Source { name: template.name.clone(), settings, strategy: server.strategy });
        report.templates.push(template);
    }
    tell(Told::Ready(report));
    let shared = Shared {
        next: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        sources,
        beginnings: Beginnings::of(tests),
    };
    let (tell_worker, heard) = mpsc::channel();
    let result = thread::scope(|scope| {
        for number in 0..report.jobs.min(tests.len()) {
            let admin = Admin::steady(&base.reach, admin.database());
            let mut worker = Worker { base, tests, settings, shared: &shared, number, started, admin };
            let tell = tell_worker.clone();
            scope.spawn(move || worker.work(&tell));
        }
        drop(tell_worker);
        listen(heard, tests, &shared, report, tell)
    });
    let mut admin = Admin::steady(&base.reach, admin.database());
    for name in shared.beginnings.made() {
        if let Err(error) = admin.act(|databases| databases.drop_copy(&name)) {
            report.warnings.push(worker::undropped(&name, &error));
        }
    }
    result
}

/// What the workers share.
pub struct Shared {
    next: AtomicUsize,
    is_over: AtomicBool,
    sources: BTreeMap<i32, Source>,
    beginnings: Beginnings,
}

impl Shared {
    /// The number of the next test to run, if there is one.
    fn next(&self, tests: usize) -> Option<usize> {
        if self.is_over.load(Ordering::SeqCst) {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::SeqCst)).filter(|next| *next < tests)
    }

    /// Lets no more tests begin.
    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Takes what workers tell, and tells it on in the order of the report.
fn listen(
    heard: mpsc::Receiver<Message>,
    tests: &[Planned],
    shared: &Shared,
    report: &mut SuiteReport,
    tell: &mut dyn FnMut(Told),
) -> Result<(), Stop> {
    let mut is_ended = vec![false; tests.len()];
    let (mut told, mut over, mut stopped) = (0, 0, None);
    for message in heard {
        match message {
            Message::Begun(at) => tell(Told::Begun(&tests[at], over)),
            Message::Ended(at, test) => {
                over += 1;
                report.tests[at] = *test;
                let test = &mut report.tests[at];
                if let Some(exit) = test.exit.filter(|exit| ends_all(*exit)) {
                    // It is said once, of all of them; what was left of this one stays.
                    let problems = std::mem::take(&mut test.problems).into_iter();
                    let (warnings, diagnostics) =
                        problems.partition(|problem| problem.severity == Severity::Warning);
                    test.problems = warnings;
                    stopped.get_or_insert(Stop { exit, diagnostics });
                }
                tell(Told::Ended(&report.tests[at]));
                is_ended[at] = true;
                while is_ended.get(told) == Some(&true) {
                    tell(Told::Next(&report.tests[told]));
                    told += 1;
                }
            }
            Message::Stopped(stop) => {
                shared.end();
                stopped.get_or_insert(stop);
            }
        }
    }
    // Those that ended behind one that was never begun.
    for at in told..tests.len() {
        tell(Told::Next(&report.tests[at]));
    }
    stopped.map_or(Ok(()), Err)
}

/// Whether a test that ended so ends all others: nobody else would fare better.
fn ends_all(exit: Exit) -> bool {
    matches!(exit, Exit::Interrupted(_))
}
