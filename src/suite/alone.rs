//! Tests on one database as it is, one after the other: nothing is copied, nothing is dropped.

use std::time::Instant;

use super::admin::Reach;
use super::plan::Planned;
use super::watched::Watched;
use super::worker::{again, once, taken};
use super::{Settings, Told, blank, ends_all};
use crate::database::clock::Clock;
use crate::project::Project;
use crate::report::exit::Exit;
use crate::report::suite::{SuiteReport, TestReport};
use crate::run::Story;

/// Runs tests on the database that is named.
pub fn run(
    project: &Project,
    reach: Reach,
    clock: Clock,
    watched: Watched,
    tests: &[Planned],
    settings: &Settings,
    tell: &mut dyn FnMut(Told),
) -> SuiteReport {
    let started = Instant::now();
    let mut report = blank(&reach, tests, settings);
    let mut connection = reach.connection(&reach.dsn.database, clock);
    watched.add(connection.running());
    let mut is_over = false;
    for (at, planned) in tests.iter().enumerate() {
        if is_over {
            tell(Told::Ended(&report.tests[at]));
            continue;
        }
        tell(Told::Begun(planned, at));
        let begun = Instant::now();
        let mut test = TestReport {
            database: reach.dsn.database.clone(),
            begun: begun.duration_since(started),
            ..planned.blank()
        };
        let mut run = |time: u32| {
            let number = format!("{at}.{time}");
            once(project, &reach, settings, (Story::from(planned.scenario), &number), &mut connection)
        };
        let first = run(1);
        (test.exit, test.steps) = taken(first, &mut test.problems);
        if settings.twice && test.exit == Some(Exit::Held) {
            let second = run(2);
            again(second, &mut test);
        }
        test.elapsed = begun.elapsed();
        if let Some(exit) = test.exit.filter(|exit| ends_all(*exit) || *exit == Exit::Unreachable) {
            report.stopped = Some((exit, std::mem::take(&mut test.problems)));
            is_over = true;
        }
        is_over |= settings.fails_fast && test.is_failed();
        report.tests[at] = test;
        tell(Told::Ended(&report.tests[at]));
    }
    if let Ok(session) = connection.session(&mut |_| ()) {
        let version = session.facts.version;
        report.server = format!("{}.{}", version / 10_000, version % 10_000);
    }
    report.elapsed = started.elapsed();
    report
}
