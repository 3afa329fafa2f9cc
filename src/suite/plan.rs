//! What is to be tested, in which order.

use crate::project::scenario::Scenario;
use crate::report::suite::TestReport;

/// One test: a scenario that is run once on a database.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Which repetition it is, and of how many, if it is repeated; counted from 1.
    pub repeat: Option<(u32, u32)>,
    /// The version of the schema that it begins with, if it is not the newest.
    pub from: Option<i32>,
}

impl Planned<'_> {
    /// Its report before it has begun.
    pub fn blank(&self) -> TestReport {
        TestReport {
            title: self.scenario.title.text.clone(),
            file: self.scenario.source.path.clone(),
            tags: self.scenario.tags.iter().map(|tag| tag.text.clone()).collect(),
            repeat: self.repeat,
            database: String::new(),
            kept: None,
            worker: 0,
            begun: Default::default(),
            elapsed: Default::default(),
            making: Default::default(),
            dropping: Default::default(),
            exit: None,
            steps: Vec::new(),
            again: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// The part of some things that one of several machines takes, counted from 1: every so many, so that
/// neighbours, which often take as long as each other, are spread.
pub fn shard<T>(things: Vec<T>, (number, of): (usize, usize)) -> Vec<T> {
    things.into_iter().enumerate().filter(|(at, _)| at % of + 1 == number).map(|(_, thing)| thing).collect()
}

/// The tests of some scenarios: each as often as asked, in an order that the seed decides if there is one.
pub fn tests<'a>(scenarios: Vec<&'a Scenario>, repeat: u32, seed: Option<u64>) -> Vec<Planned<'a>> {
    let mut tests: Vec<Planned> = (1..=repeat)
        .flat_map(|number| {
            let repeat = (repeat > 1).then_some((number, repeat));
            scenarios.iter().map(move |scenario| Planned {
                scenario,
                repeat,
                from: scenario.from.map(|from| from.number),
            })
        })
        .collect();
    if let Some(seed) = seed {
        fastrand::Rng::with_seed(seed).shuffle(&mut tests);
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_everything_once() {
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(shard(all.clone(), (1, 1)), all);
        assert_eq!(shard(all.clone(), (1, 3)), [0, 3, 6, 9]);
        assert_eq!(shard(all.clone(), (2, 3)), [1, 4, 7]);
        assert_eq!(shard(all.clone(), (3, 3)), [2, 5, 8]);
        assert!(shard(all, (12, 12)).is_empty());
    }
}
