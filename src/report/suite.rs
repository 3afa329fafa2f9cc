//! The report of a suite: scenarios, each run on a database of its own.

pub mod text;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::exit::Exit;
use super::{End, Migrated, StepReport};
use crate::project::diagnostic::Diagnostic;

/// Takes secrets out of a text. Whoever writes a report does so before escaping: behind that, nobody would
/// know them again.
pub type Censor<'a> = &'a (dyn for<'t> Fn(&'t str) -> Cow<'t, str> + 'a);

/// Everything that one `seedbed test` did.
#[derive(Debug)]
pub struct SuiteReport {
    /// Tells this run from all others: eight hexadecimal digits.
    pub run: String,
    /// The server, as `user@host:port/name`; the name is that of the database that was connected to first.
    pub target: String,
    /// The server's version, like `15.18`.
    pub server: String,
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// The most tests that were run at the same time.
    pub jobs: usize,
    /// The seed of the order, if it was shuffled.
    pub shuffle: Option<u64>,
    /// Which part of all tests it was, and of how many, if it was one.
    pub shard: Option<(usize, usize)>,
    /// The templates that were copied: one for each version that tests begin with, the newest last. None if
    /// tests were not isolated.
    pub templates: Vec<Template>,
    /// The tests, in the order of the report.
    pub tests: Vec<TestReport>,
    /// What stopped it as a whole.
    pub stopped: Option<(Exit, Vec<Diagnostic>)>,
    /// What was warned of.
    pub warnings: Vec<Diagnostic>,
}

/// A database that others are copies of.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// The version it was migrated to; none if it has all migrations.
    pub version: Option<i32>,
    /// Whether this run made it; else it was there.
    pub is_new: bool,
    /// How long that took.
    pub elapsed: Duration,
    /// The migrations that were applied in it by this run.
    pub migrations: Vec<Migrated>,
}

/// One scenario on one database.
#[derive(Debug)]
pub struct TestReport {
    /// The scenario's title.
    pub title: String,
    /// Its file.
    pub file: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Which repetition it is, and of how many, if it is repeated; counted from 1.
    pub repeat: Option<(u32, u32)>,
    /// The name of its database.
    pub database: String,
    /// What opens its database, if that was kept: a line for a shell.
    pub kept: Option<String>,
    /// The worker that ran it, counted from 0.
    pub worker: usize,
    /// When it began, its database being there, from the begin of the suite.
    pub begun: Duration,
    /// How long it took, without its database.
    pub elapsed: Duration,
    /// How long it took to make its database, before it began.
    pub making: Duration,
    /// How long it took to drop its database, when it was over.
    pub dropping: Duration,
    /// How it ended; none if it was not begun.
    pub exit: Option<Exit>,
    /// Its steps, those that did not run included. Their `begun` counts from the begin of the test.
    pub steps: Vec<StepReport>,
    /// The steps of the second time, with `--twice`.
    pub again: Vec<StepReport>,
    /// What is to be said of it beside its steps: what stopped it, what was warned of.
    pub problems: Vec<Diagnostic>,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All steps held.
    Held,
    /// All steps held, and one of them not at the first try.
    Flaky,
    /// A step did not hold, or its SQL failed.
    Failed,
    /// It could not be run to its end.
    Error,
    /// It was not begun.
    NotRun,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Flaky => "flaky",
            Verdict::Failed => "failed",
            Verdict::Error => "error",
            Verdict::NotRun => "not run",
        }
    }
}

impl TestReport {
    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        match self.exit {
            None => Verdict::NotRun,
            Some(Exit::Held) if self.all_steps().any(StepReport::is_flaky) => Verdict::Flaky,
            Some(Exit::Held) => Verdict::Held,
            Some(Exit::DidNotHold) => Verdict::Failed,
            Some(_) => Verdict::Error,
        }
    }

    /// Whether it neither held nor was left out.
    pub fn is_failed(&self) -> bool {
        matches!(self.verdict(), Verdict::Failed | Verdict::Error)
    }

    /// How long it took to make and drop its database.
    pub fn isolating(&self) -> Duration {
        self.making + self.dropping
    }

    /// The steps of the first time, then those of the second.
    pub fn all_steps(&self) -> impl Iterator<Item = &StepReport> {
        self.steps.iter().chain(&self.again)
    }

    /// All steps with their names, which no two of them have in common.
    pub fn named_steps(&self) -> impl Iterator<Item = (String, &StepReport)> {
        let again = self.again.iter().map(|step| (format!("{} (again)", step.name()), step));
        self.steps.iter().map(|step| (step.name(), step)).chain(again)
    }

    /// The title, with the number of the repetition if it is one.
    pub fn name(&self) -> String {
        match self.repeat {
            Some((number, of)) => format!("{} ({number} of {of})", self.title),
            None => self.title.clone(),
        }
    }
}

impl StepReport {
    /// Its kind and its title, as its file begins it: `assert: Alice works in HR`.
    pub fn name(&self) -> String {
        format!("{}: {}", self.kind, self.title)
    }

    /// Whether it held, though not at the first try.
    pub fn is_flaky(&self) -> bool {
        self.end.is_accepted() && !self.retried.is_empty()
    }

    /// Whether it neither held nor was left out.
    pub fn is_failed(&self) -> bool {
        matches!(self.end, End::Refused(_) | End::Error | End::Unknown)
    }
}

impl SuiteReport {
    /// The report of a run on a server, which begins now and has no tests yet.
    pub fn new(run: String, target: String) -> SuiteReport {
        SuiteReport {
            run,
            target,
            server: String::new(),
            started: SystemTime::now(),
            elapsed: Duration::ZERO,
            jobs: 1,
            shuffle: None,
            shard: None,
            templates: Vec::new(),
            tests: Vec::new(),
            stopped: None,
            warnings: Vec::new(),
        }
    }

    /// The exit status of the command: what stopped it, else 1 if a step of a test did not hold, else that of
    /// the first test that could not be run to its end.
    pub fn exit(&self) -> Exit {
        if let Some((exit, _)) = &self.stopped {
            return *exit;
        }
        let mut exits = self.tests.iter().filter_map(|test| test.exit).filter(|exit| *exit != Exit::Held);
        let first = exits.clone().next().unwrap_or(Exit::Held);
        exits.find(|exit| *exit == Exit::DidNotHold).unwrap_or(first)
    }

    /// How many tests ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tests.iter().filter(|test| test.verdict() == verdict).count()
    }

    /// What is to be said of the suite as a whole.
    pub fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.stopped.iter().flat_map(|(_, diagnostics)| diagnostics).chain(&self.warnings)
    }
}
