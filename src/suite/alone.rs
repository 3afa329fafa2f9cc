//! Tests on one database as it is, one after the other: nothing is copied, nothing is dropped.

use std::time::Instant;

use super::plan::Planned;
use super::worker::as_asked;
use super::{Base, Settings, Told, blank, ends_all};
use crate::database::connection::Connection;
use crate::report::exit::Exit;
use crate::report::suite::{SuiteReport, TestReport};

/// Runs tests on the database that is named.
pub fn run(base: &Base, tests: &[Planned], settings: &Settings, tell: &mut dyn FnMut(Told)) -> SuiteReport {
    let started = Instant::now();
    let mut report = blank(&base.reach, tests, settings);
    let database = &base.reach.dsn.database;
    base.on(database, |connection| one_by_one(base, tests, settings, connection, &mut report, tell));
    report.elapsed = started.elapsed();
    report
}

fn one_by_one(
    base: &Base,
    tests: &[Planned],
    settings: &Settings,
    connection: &mut Connection,
    report: &mut SuiteReport,
    tell: &mut dyn FnMut(Told),
) {
    let started = Instant::now();
    let mut is_over = false;
    for (at, planned) in tests.iter().enumerate() {
        if is_over {
            tell(Told::Next(&report.tests[at]));
            continue;
        }
        tell(Told::Begun(planned, at));
        let begun = Instant::now();
        let mut test = TestReport {
            database: connection.dsn.database.clone(),
            begun: begun.duration_since(started),
            ..planned.blank()
        };
        as_asked(base, settings, (planned, &format!("{at}.")), &[], connection, &mut test);
        test.elapsed = begun.elapsed();
        if let Some(exit) = test.exit.filter(|exit| ends_all(*exit) || *exit == Exit::Unreachable) {
            report.stopped = Some((exit, std::mem::take(&mut test.problems)));
            is_over = true;
        }
        is_over |= settings.fails_fast && test.is_failed();
        report.tests[at] = test;
        tell(Told::Ended(&report.tests[at]));
        tell(Told::Next(&report.tests[at]));
    }
    if let Ok(session) = connection.session(&mut |_| ()) {
        let version = session.facts.version;
        report.server = format!("{}.{}", version / 10_000, version % 10_000);
    }
}
