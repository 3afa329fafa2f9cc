//! SIGINT and SIGTERM, whatever the run is at.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait_for;
use crate::support::{Database, Output, Running, Seedbed, project};

const ADD: &str = "scenario: Signals\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n";
const SLEEPS: &str =
    "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// A table on which inserting takes long, or committing does.
fn slow(deferred: &str) -> Database {
    let database = Database::create();
    database.execute(&format!(
        "create table t (id int);
         create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(20); return null; end $$;
         create constraint trigger slow after insert on t {deferred} for each row execute function slow()"
    ));
    database
}

fn run(url: &str) -> (tempfile::TempDir, Running) {
    let directory = project(&[("migrations/V1__a.sql", "create table a ();"), ("scenarios/a.yaml", ADD)]);
    let run = Seedbed::new(directory.path()).start(&["up", "--url", url, "--verbose"]);
    (directory, run)
}

fn send(run: &Running, signal: Signal) {
    kill(Pid::from_raw(run.pid() as i32), signal).unwrap();
}

/// Sends the signal, and expects the end within two seconds, with the signal's own status.
fn ends(run: Running, signal: Signal) -> Output {
    let started = Instant::now();
    send(&run, signal);
    let output = run.finish();
    assert_eq!(output.status, (128 + signal as i32).to_string(), "{}", output.text);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}: {}", started.elapsed(), output.text);
    assert!(output.text.contains("help: run again"), "{}", output.text);
    output
}

#[test]
fn a_signal_ends_every_wait_in_time_and_with_its_own_status() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // For a server that is not there.
        let (_directory, mut waiting) = run("postgres://u@127.0.0.1:1/d");
        waiting.read_until("waiting for");
        ends(waiting, signal);
        // For another runner.
        let database = Database::create();
        let mut holder = database.client();
        holder.batch_execute("select pg_advisory_lock(x'73656565'::int, hashtext('public'))").unwrap();
        let (_directory, mut waiting) = run(&database.url());
        waiting.read_until("waiting for another runner");
        ends(waiting, signal);
        // For a statement.
        let database = slow("");
        let (_directory, working) = run(&database.url());
        wait_for(|| database.rows(SLEEPS).pop());
        ends(working, signal);
        wait_for(|| database.rows(SLEEPS).is_empty().then_some(()));
        assert_eq!(database.rows("select id from t"), Vec::<String>::new());
        assert_eq!(database.rows("select version from refinery_schema_history"), ["1"]);
    }
}

#[test]
fn a_signal_while_committing_leaves_effect_and_ledger_together() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let database = slow("initially deferred");
        let (_directory, committing) = run(&database.url());
        wait_for(|| database.rows(SLEEPS).pop());
        ends(committing, signal);
        wait_for(|| database.rows(SLEEPS).is_empty().then_some(()));
        let counts = "select (select count(*) from t) = (select count(*) from seedbed_ledger)";
        assert_eq!(database.rows(counts), ["t"]);
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let database = slow("initially deferred");
    let (_directory, committing) = run(&database.url());
    let pid = Pid::from_raw(wait_for(|| database.rows(SLEEPS).pop()).parse().unwrap());
    // The process is stopped in its COMMIT, which a single signal waits for.
    kill(pid, Signal::SIGSTOP).unwrap();
    send(&committing, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(2500));
    let started = Instant::now();
    send(&committing, Signal::SIGTERM);
    let output = committing.finish();
    kill(pid, Signal::SIGCONT).unwrap();
    assert_eq!(output.status, "143", "{}", output.text);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn a_deadline_ends_the_run_and_its_statement() {
    let database = slow("");
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let started = Instant::now();
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &database.url(), "--deadline", "1s"]);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(output.status, "3", "{}", output.text);
    for words in ["the run has used up its 1s", "help: run again", "--deadline"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    // It was said that what was running was rolled back.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(database.rows(SLEEPS), Vec::<String>::new());
}
