//! `test`: each scenario on a database of its own, side by side.

mod arguments;
mod last;
mod reports;
mod selection;
mod watch;

use std::thread::available_parallelism;

pub use arguments::Arguments;
use arguments::Isolate;

use super::options::Options;
use super::up::{self, check_variables};
use super::{Refusal, interrupt, target, terminal};
use crate::database::clock::Clock;
use crate::database::connection::Connection;
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::report::json;
use crate::report::suite::SuiteReport;
use crate::run::Story;
use crate::run::guard::Guard;
use crate::suite::admin::Reach;
use crate::suite::plan::{self, Planned};
use crate::suite::watched::Watched;
use crate::suite::{self, Base, Settings, Told};
use reports::Reports;
use watch::Watch;

/// Tests scenarios.
pub fn test(options: &Options, arguments: &Arguments) -> Result<Exit, Refusal> {
    options.refuse_dry_run("leave it out: tests write to databases of their own alone")?;
    arguments.check(options)?;
    let (project, warnings) = up::project(options)?;
    let scenarios = selection::select(&project, options, arguments)?;
    if scenarios.is_empty() {
        return nothing_again(options, arguments);
    }
    if arguments.list {
        selection::list(options, &scenarios);
        return Ok(Exit::Held);
    }
    let seed = arguments.shuffle.map(|seed| seed.unwrap_or_else(|| fastrand::u64(..) >> 32));
    let tests = plan::tests(scenarios, arguments.repeat, seed);
    let stories: Vec<Story> = tests.iter().map(|test| Story::from(test.scenario)).collect();
    check_variables(&project, &stories)?;
    let report = run(options, arguments, &project, (&tests, seed), warnings)?;
    Ok(report.exit())
}

/// Says that there is nothing to run again, where that is read: a report of yesterday would tell of failures.
fn nothing_again(options: &Options, arguments: &Arguments) -> Result<Exit, Refusal> {
    let reports = Reports::open(&arguments.report, options.json)?;
    let report = SuiteReport::new(String::new(), String::new());
    match options.json {
        true => terminal::print_json(&json::suite(&report)),
        false => terminal::print_line("nothing to test again: all held the last time"),
    }
    reports.write(&report);
    Ok(report.exit())
}

fn run(
    options: &Options,
    arguments: &Arguments,
    project: &crate::project::Project,
    (tests, seed): (&[Planned], Option<u64>),
    warnings: Vec<Diagnostic>,
) -> Result<SuiteReport, Refusal> {
    let reports = Reports::open(&arguments.report, options.json)?;
    let mut watch = Watch::new(options, tests);
    watch.warn(&warnings);
    let (dsn, server) = target::server(options)?;
    if server.is_some() && arguments.isolate == Isolate::None {
        return Err(Refusal::new(
            Exit::Invalid,
            Diagnostic::error("`--isolate none` tests a database as it is, and none is named")
                .help("name one, with `--url` or `CONNECTION_STRING`"),
        ));
    }
    if server.is_some() && arguments.keep_failed {
        return Err(Refusal::new(
            Exit::Invalid,
            Diagnostic::error("`--keep-failed` needs a server that stays")
                .note("no database is named, so a temporary server is used, and gone afterwards")
                .help("name a server, with `--url` or `CONNECTION_STRING`"),
        ));
    }
    let (clock, watched) = (Clock::start(options.deadline), Watched::default());
    let cancelled = watched.clone();
    interrupt::watch(clock.clone(), move || cancelled.cancel());
    let nonce = Connection::new(dsn.clone(), options.limits(), options.wait, clock.clone()).run;
    watch.is_of(&nonce);
    let reach =
        Reach { dsn, limits: options.limits(), wait: options.wait, retry: options.retry(), run: nonce };
    let settings = Settings {
        jobs: arguments.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
        fails_fast: arguments.fail_fast,
        keeps_failed: arguments.keep_failed,
        twice: arguments.twice,
        keeps_sent: reports.show_sent(),
        // What a copy loses is lost to nobody.
        guard: Guard { deleted_max: options.max_delete, ..Guard::default() },
    };
    let base = Base { project, reach, clock, watched };
    let mut tell = |told: Told| watch.show(told);
    let mut report = match arguments.isolate {
        Isolate::Template => suite::run(&base, tests, &settings, &mut tell),
        Isolate::None => {
            let settings = Settings { jobs: 1, guard: options.guard(), ..settings };
            suite::alone::run(&base, tests, &settings, &mut tell)
        }
    };
    report.shuffle = seed;
    report.shard = arguments.shard;
    // Those of the suite itself are told when it is over.
    watch.warn(&report.warnings);
    report.warnings.splice(0..0, warnings);
    // The server goes first, so that nothing is left when the last line is read.
    drop(server);
    last::write(&options.dir, &report);
    watch.finish(&report);
    reports.write(&report);
    Ok(report)
}
