//! Commits in doubt: whatever became of them is found out, or said to be unknown.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::own_server::Server;
use super::proxy::{Fault, Harm, Passes, Proxy};
use super::trial::socket;
use super::wire::Way;
use crate::support::{Database, Output, Seedbed, project};

/// A table on which every COMMIT takes a while.
const SLOW: &str = "create table t (id int);
    create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1.2); return null; end $$;
    create constraint trigger slow after insert on t initially deferred for each row execute function slow()";

/// Without a key: done twice, it is there twice.
const ADD: &str = "scenario: Doubt\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n";

fn up(directory: &Path, port: u16, database: &str, arguments: &[&str]) -> Output {
    let url = format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable");
    let mut all = vec!["run", "--url", &url, "--retry-delay", "5ms", "--verbose"];
    all.extend(arguments);
    Seedbed::new(directory).run(&all)
}

/// The number of the client's message that commits the step.
fn commit_of_step(directory: &Path) -> usize {
    let database = Database::create();
    database.execute("create table t (id int)");
    let proxy = Proxy::before(&socket(), None);
    let output = up(directory, proxy.port, &database.name, &[]);
    assert_eq!(output.status, "0", "{}", output.text);
    let messages = proxy.seen();
    let mut sent = messages.iter().filter(|(way, _, _)| *way == Way::ToServer);
    sent.position(|(_, text, _)| text.contains("insert into \"public\".\"seedbed_ledger\"")).unwrap() + 1
}

fn at(message: usize, harm: Harm, passes: Passes) -> Option<Fault> {
    Some(Fault { way: Way::ToServer, at: message, harm, passes })
}

#[test]
fn a_commit_that_reached_the_server_is_waited_for_and_not_done_again() {
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let message = commit_of_step(directory.path());
    for harm in [Harm::Cut, Harm::Reset] {
        let database = Database::create();
        database.execute(SLOW);
        let proxy = Proxy::before(&socket(), at(message, harm, Passes::All));
        let output = up(directory.path(), proxy.port, &database.name, &[]);
        assert_eq!(output.status, "0", "{}", output.text);
        assert!(output.text.contains("asking the database what became of it"), "{}", output.text);
        assert!(!output.text.contains("tries"), "it was done again: {}", output.text);
        assert_eq!(database.rows("select * from t"), ["1"]);
        assert_eq!(database.rows("select title from seedbed_ledger"), ["One"]);
    }
}

#[test]
fn a_commit_that_never_reached_the_server_is_done_again_once() {
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let message = commit_of_step(directory.path());
    for (harm, passes) in [(Harm::Cut, Passes::Nothing), (Harm::Reset, Passes::Half)] {
        let database = Database::create();
        database.execute(SLOW);
        let proxy = Proxy::before(&socket(), at(message, harm, passes));
        let output = up(directory.path(), proxy.port, &database.name, &[]);
        assert_eq!(output.status, "0", "{}", output.text);
        assert!(output.text.contains("2 tries"), "{}", output.text);
        assert_eq!(database.rows("select * from t"), ["1"]);
    }
}

#[test]
fn a_server_that_stays_away_leaves_the_outcome_unknown_and_the_next_run_knows_it() {
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Doubt\nsteps:\n  - add: One\n    into: t\n    key: [id]\n    row: {id: 1}\n",
    )]);
    let message = commit_of_step(directory.path());
    let check = |passes, then: &str| {
        let database = Database::create();
        database.execute("create table t (id int)");
        let proxy = Proxy::before(&socket(), at(message, Harm::Gone, passes));
        let output = up(directory.path(), proxy.port, &database.name, &["--wait", "1s"]);
        assert_eq!(output.status, "6", "{}", output.text);
        for words in ["One", "scenarios/a.yaml:3", "help: run again", "connection refused"] {
            assert!(output.text.contains(words), "no `{words}` in {}", output.text);
        }
        let output = Seedbed::new(directory.path()).run(&["run", "--url", &database.url()]);
        assert_eq!(output.status, "0", "{}", output.text);
        assert!(output.text.contains(then), "not {then}: {}", output.text);
        assert_eq!(database.rows("select * from t"), ["1"]);
    };
    thread::scope(|scope| {
        scope.spawn(|| check(Passes::All, "present"));
        scope.spawn(|| check(Passes::Nothing, "added"));
    });
}

#[test]
fn a_transaction_number_that_is_given_out_again_settles_nothing() {
    // The log of writes is written late, so that a crash forgets the transaction and its number.
    let mut server = Server::new(&["fsync=on", "wal_writer_delay=10s", "autovacuum=off"]);
    server.execute(SLOW);
    server.execute("create table other (id int)");
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let message = commit_of_step(directory.path());
    // The runner finds the server through this link only.
    let gates = tempfile::tempdir().unwrap();
    let gate = gates.path().join("gate");
    symlink(server.socket(), &gate).unwrap();
    let proxy = Proxy::before(&gate, at(message, Harm::Stall(Duration::from_secs(20)), Passes::All));
    let runner = thread::spawn({
        let (path, port) = (directory.path().to_owned(), proxy.port);
        move || up(&path, port, "postgres", &[])
    });
    let in_doubt = "select backend_xid from pg_stat_activity where application_name like 'seedbed %' and wait_event = 'PgSleep'";
    let number = super::wait_for(|| server.rows(in_doubt).pop());
    std::fs::remove_file(&gate).unwrap();
    server.end(Signal::SIGQUIT);
    server.start();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.extend(server.rows("insert into other values (1) returning pg_current_xact_id()"));
    }
    assert!(others.contains(&number), "{number} was not given out again: {others:?}");
    symlink(server.socket(), &gate).unwrap();
    let output = runner.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(server.rows(&format!("select pg_xact_status('{number}')")), ["committed"]);
    assert!(output.text.contains("2 tries"), "{}", output.text);
    assert_eq!(server.rows("select id from t"), ["1"]);
    assert_eq!(server.rows("select title from seedbed_ledger"), ["One"]);
}
