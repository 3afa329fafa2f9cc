//! Silences, with a watchdog that barks early: the library is called with limits no command line gives.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use seedbed::database::clock::Clock;
use seedbed::database::connection::Connection;
use seedbed::database::dsn::Dsn;
use seedbed::database::retry::Policy;
use seedbed::database::session::Limits;
use seedbed::project::{Project, load};
use seedbed::report::exit::Exit;
use seedbed::report::text;
use seedbed::run::guard::Guard;
use seedbed::run::{Story, Work, run};

use super::proxy::{Fault, Harm, Passes, Proxy};
use super::trial::socket;
use super::wait_for;
use super::wire::Way;
use crate::support::{Database, project};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    statement: Duration::from_secs(1),
    migration: Duration::from_secs(1),
    lock: Duration::from_secs(5),
    runner: Duration::from_secs(6),
    grace: Duration::from_millis(200),
};

/// Runs a project, and gives the exit and what was said meanwhile.
fn run_inside(directory: &Path, url: &str, limits: Limits, deadline: Duration) -> (Exit, String) {
    let (project, wrong) = Project::parse(load::load(directory));
    assert!(wrong.is_empty(), "{wrong:?}");
    let dsn = Dsn::parse(url, &|_| None).unwrap();
    let mut connection = Connection::new(dsn, limits, Duration::from_secs(5), Clock::start(deadline));
    let retry = Policy {
        attempts_max: 3,
        delay_first: Duration::from_millis(5),
        delay_max: Duration::from_secs(1),
        total_max: Duration::MAX,
    };
    let stories = project.scenarios.iter().map(Story::from).collect();
    let mut said = String::new();
    let work = Work {
        project: &project,
        migrate: Some(seedbed::run::NEWEST),
        stories,
        retry,
        guard: Guard { deleted_max: 1000, ..Guard::default() },
        update: None,
        keeps_sent: false,
    };
    let report = run(&work, &mut connection, &mut |event| {
        said.push_str(&text::progress(&event).unwrap_or_default());
        said.push('\n');
    });
    let told = report.steps().flat_map(|step| &step.diagnostics).chain(report.problems());
    let problems = told.map(|diagnostic| diagnostic.render(false));
    said.extend(problems);
    (report.exit(), said)
}

const FILES: &[(&str, &str)] = &[
    ("migrations/V1__t.sql", "create table t (id int);"),
    ("scenarios/a.yaml", "scenario: Silence\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n"),
];

/// A proxy's URL.
fn url(proxy: &Proxy, database: &Database) -> String {
    format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port, database.name)
}

#[test]
fn half_an_answer_is_given_up_and_the_work_done_again_or_the_commit_settled() {
    let directory = project(FILES);
    let database = Database::create();
    let proxy = Proxy::before(&socket(), None);
    let (exit, said) = run_inside(directory.path(), &url(&proxy, &database), LIMITS, Duration::ZERO);
    assert_eq!(exit, Exit::Held, "{said}");
    let answers: Vec<_> = proxy.seen().into_iter().filter(|(way, _, _)| *way == Way::ToClient).collect();
    // The answer to the step's own statement, and those to the commits of migration and step.
    let last_row = answers.iter().rposition(|(_, text, _)| text == "D").unwrap();
    let commits = answers.iter().enumerate().filter(|(_, answer)| answer.2).map(|(at, _)| at);
    let spots: Vec<usize> = commits.chain([last_row, last_row + 1]).collect();
    assert!(spots.len() >= 4, "{answers:?}");
    for at in spots {
        let database = Database::create();
        let harm = Harm::Stall(Duration::from_secs(2));
        let fault = Fault { way: Way::ToClient, at: at + 1, harm, passes: Passes::Half };
        let proxy = Proxy::before(&socket(), Some(fault));
        let started = Instant::now();
        let (exit, said) = run_inside(directory.path(), &url(&proxy, &database), LIMITS, Duration::ZERO);
        assert!(proxy.has_struck(), "{fault:?}");
        assert_eq!(exit, Exit::Held, "{fault:?}: {said}");
        // The ledger is created with the patience for other runners, and so outlasts the silence.
        let is_ledger = said.contains("the ledger: the server closed the connection within an answer");
        assert!(said.contains("the server was silent for 1s 200ms") || is_ledger, "{fault:?}: {said}");
        assert!(started.elapsed() < Duration::from_secs(8), "{fault:?}: {:?}", started.elapsed());
        assert_eq!(database.rows("select id from t"), ["1"], "{fault:?}: {said}");
        assert_eq!(database.rows("select title from seedbed_ledger"), ["One"], "{fault:?}");
    }
}

#[test]
fn a_session_that_was_lost_while_its_server_works_on_does_not_keep_its_run_waiting() {
    let directory = project(&FILES[1..]);
    // The last message of the step's statement.
    let at = {
        let database = Database::create();
        database.execute("create table t (id int)");
        let proxy = Proxy::before(&socket(), None);
        let (exit, said) = run_inside(directory.path(), &url(&proxy, &database), LIMITS, Duration::ZERO);
        assert_eq!(exit, Exit::Held, "{said}");
        let messages = proxy.seen();
        let mut sent = messages.iter().filter(|(way, _, _)| *way == Way::ToServer);
        sent.position(|(_, text, _)| text.starts_with("P ") && text.contains("written_")).unwrap() + 5
    };
    for harm in [Harm::Reset, Harm::Stall(Duration::from_secs(20))] {
        let database = Database::create();
        database.execute(
            "create table t (id int); create sequence tries;
             create function slow() returns trigger language plpgsql as $$ begin
               perform pg_sleep(case nextval('tries') when 1 then 4 else 0 end); return null; end $$;
             create trigger slow after insert on t for each row execute function slow()",
        );
        let fault = Fault { way: Way::ToServer, at, harm, passes: Passes::All };
        let proxy = Proxy::before(&socket(), Some(fault));
        let limits = Limits { runner: Duration::ZERO, ..LIMITS };
        let started = Instant::now();
        let (exit, said) = run_inside(directory.path(), &url(&proxy, &database), limits, Duration::ZERO);
        assert!(proxy.has_struck());
        assert_eq!(exit, Exit::Held, "{harm:?}: {said}");
        assert!(started.elapsed() < Duration::from_secs(4), "{harm:?}: {:?}", started.elapsed());
        assert_eq!(database.rows("select id from t"), ["1"], "{said}");
    }
}

#[test]
fn a_process_that_never_goes_on_ends_the_run_in_time() {
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Stopped\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n",
    )]);
    for (limits, deadline, expected) in [
        // The stopped process holds the run's lock: it is named as the holder.
        (Limits { runner: Duration::from_secs(2), ..LIMITS }, Duration::ZERO, Exit::Locked),
        (Limits { statement: Duration::from_secs(60), ..LIMITS }, Duration::from_secs(2), Exit::Unreachable),
    ] {
        let database = Database::create();
        database.execute(
            "create table t (id int);
             create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.8); return null; end $$;
             create trigger slow after insert on t for each row execute function slow()",
        );
        let name = database.name.clone();
        let stopper = std::thread::spawn(move || {
            let database = Database { name };
            let sleeps = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
            let pid = wait_for(|| database.rows(sleeps).pop()).parse().unwrap();
            kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
            Pid::from_raw(pid)
        });
        let started = Instant::now();
        let (exit, said) = run_inside(directory.path(), &database.url(), limits, deadline);
        let elapsed = started.elapsed();
        kill(stopper.join().unwrap(), Signal::SIGCONT).unwrap();
        assert_eq!(exit, expected, "{said}");
        assert!(elapsed < Duration::from_secs(6), "{elapsed:?}");
        if expected == Exit::Locked {
            assert!(said.contains("to end it: select pg_terminate_backend("), "{said}");
        } else {
            assert!(said.contains("the run has used up its 2s"), "{said}");
        }
    }
}
