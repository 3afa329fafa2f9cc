//! Beginnings: the seeds that several tests start with. Where it pays, they are run once, in a copy of the
//! template that is closed behind them, and the tests get copies of that.
//!
//! The first test of each beginning is run as any other, and tells how long its seeds take; from then on it is
//! arithmetic. What the seeds reported then is reported of the others too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::copy::Source;
use super::plan::Planned;
use crate::project::scenario::Scenario;
use crate::report::{End, StepReport};
use crate::step::Step;

/// What the beginnings of all tests are.
#[derive(Debug, Default)]
pub struct Beginnings {
    beginnings: Vec<Beginning>,
    /// Which each test has, if it shares one.
    of: Vec<Option<usize>>,
}

/// Seeds that several tests start with.
#[derive(Debug)]
pub struct Beginning {
    /// How many steps it is.
    pub steps: usize,
    /// How many tests with it have not begun.
    left: AtomicUsize,
    state: Mutex<State>,
}

/// What is known of a beginning.
#[derive(Debug, Clone)]
enum State {
    /// Nothing yet.
    New,
    /// How long its seeds take, and how long a copy of the template.
    Measured { seeds: Duration, copy: Duration },
    /// Somebody is making a database that has it.
    Making,
    /// There is one.
    Made(Box<Made>),
    /// There is one of this name, and it does not pay.
    Left(String),
    /// It does not pay, or cannot be shared.
    Useless,
}

/// A database that has a beginning.
#[derive(Debug, Clone)]
pub struct Made {
    /// What copies are made of.
    pub source: Source,
    /// What its steps reported.
    pub reports: Vec<StepReport>,
    /// How long a copy of it may take, to be faster than a copy of the template and the seeds.
    pub worth: Duration,
}

/// What to do about a beginning.
pub enum Advice {
    /// Take copies of this database.
    Take(Box<Made>),
    /// Make such a database. Whoever is told so tells what came of it.
    Make {
        /// See [`Made::worth`].
        worth: Duration,
    },
    /// Run the seeds.
    Run,
}

impl Beginnings {
    /// Those of some tests: for each the longest that another one has too.
    pub fn of(tests: &[Planned]) -> Beginnings {
        let keys: Vec<Vec<String>> = tests.iter().map(|test| keys(test.scenario)).collect();
        let mut counts: HashMap<&[String], usize> = HashMap::new();
        for keys in &keys {
            for length in 1..=keys.len() {
                *counts.entry(&keys[..length]).or_default() += 1;
            }
        }
        let longest =
            |keys: &'_ Vec<String>| (1..=keys.len()).rev().find(|length| counts[&keys[..*length]] > 1);
        let chosen: Vec<Option<&[String]>> =
            keys.iter().map(|keys| longest(keys).map(|length| &keys[..length])).collect();
        let mut having: HashMap<&[String], usize> = HashMap::new();
        chosen.iter().flatten().for_each(|keys| *having.entry(keys).or_default() += 1);
        let mut all = Beginnings::default();
        let mut numbers: HashMap<&[String], usize> = HashMap::new();
        for keys in &chosen {
            // One that is left alone with its own has nobody to share it with.
            let shared = keys.filter(|keys| having[keys] > 1);
            all.of.push(shared.map(|keys| {
                *numbers.entry(keys).or_insert_with(|| {
                    let left = AtomicUsize::new(0);
                    all.beginnings.push(Beginning { steps: keys.len(), left, state: Mutex::new(State::New) });
                    all.beginnings.len() - 1
                })
            }));
        }
        for number in all.of.iter().flatten() {
            all.beginnings[*number].left.fetch_add(1, Ordering::SeqCst);
        }
        all
    }

    /// That of a test, with its number, if it shares one.
    pub fn of_test(&self, test: usize) -> Option<(usize, &Beginning)> {
        let number = (*self.of.get(test)?)?;
        Some((number, &self.beginnings[number]))
    }

    /// The databases that were made.
    pub fn made(&self) -> Vec<String> {
        let name = |beginning: &Beginning| match &*beginning.state() {
            State::Made(made) => Some(made.source.name.clone()),
            State::Left(name) => Some(name.clone()),
            _ => None,
        };
        self.beginnings.iter().filter_map(name).collect()
    }
}

impl Beginning {
    /// What to do for one more test.
    pub fn begin(&self) -> Advice {
        let left = self.left.fetch_sub(1, Ordering::SeqCst) as u32;
        let mut state = self.state();
        match &*state {
            State::Made(made) => Advice::Take(made.clone()),
            // Making it costs a copy and the seeds once more; that is spent before anything is won, so twice
            // as much has to be in sight.
            State::Measured { seeds, copy } if *seeds * left > (*copy + *seeds) * 2 => {
                let worth = *copy + *seeds;
                *state = State::Making;
                Advice::Make { worth }
            }
            _ => Advice::Run,
        }
    }

    /// Notes how a test went that ran the seeds itself.
    pub fn measured(&self, steps: &[StepReport], copy: Duration) {
        let mut state = self.state();
        if !matches!(*state, State::New) {
            return;
        }
        let seeds = &steps[..self.steps.min(steps.len())];
        let is_plain = |step: &StepReport| matches!(step.end, End::Accepted(_)) && step.attempts == 1;
        *state = match seeds.len() == self.steps && seeds.iter().all(is_plain) {
            true => State::Measured { seeds: seeds.iter().map(|step| step.elapsed).sum(), copy },
            false => State::Useless,
        };
    }

    /// Notes what came of making a database; nothing if it could not be.
    pub fn made(&self, made: Option<Made>) {
        *self.state() = made.map_or(State::Useless, |made| State::Made(Box::new(made)));
    }

    /// Notes that copies of it take longer than running the seeds would: from now on those are run.
    pub fn slow(&self) {
        let mut state = self.state();
        if let State::Made(made) = &*state {
            *state = State::Left(made.source.name.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells the seeds that a scenario starts with from others: the version of the schema, and each seed.
fn keys(scenario: &Scenario) -> Vec<String> {
    // What is compared with the start has to see it.
    let compared = scenario.steps.iter().filter(|step| step.action.compares());
    let first_seen = compared.map(|step| step.links.since.map_or(0, |since| since + 1)).min();
    let seeds = scenario.steps.iter().map_while(key).take(first_seen.unwrap_or(usize::MAX));
    let from = scenario.from.map(|from| from.number);
    seeds.map(|key| format!("{from:?} {key}")).collect()
}

/// What tells a seed from others, if nothing else depends on it being run.
fn key(step: &Step) -> Option<String> {
    let (control, links) = (&step.control, &step.links);
    let is_plain = control.skip.is_none()
        && control.when.is_empty()
        && control.role.is_none()
        && control.timeout.is_none()
        && control.eventually.is_none()
        && !control.is_final
        && !links.is_captured
        && links.taken.is_empty()
        && links.late.is_none()
        && links.case_of.is_none()
        && step.changes.is_none()
        && step.expect.span.is_none();
    if is_plain { step.action.key() } else { None }
}
