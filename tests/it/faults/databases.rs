//! What can happen to the databases that `seedbed test` makes and drops.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::own_server::Server;
use super::wait_for;
use crate::support::{Running, Seedbed, project};

const COPIES: &str = "select datname from pg_database where datname ~ '^seedbed_(test|kept)_'";
const TEMPLATE: &str = "select datname from pg_database where datname like 'seedbed_tpl_%' and datistemplate";
const SCENARIO: &str =
    "scenario: Read\nsteps:\n  - assert: Many\n    query: select count(*) from big\n    value: 4000\n";

fn test(directory: &Path, server: &Server, arguments: &[&str]) -> Running {
    let url = server.url();
    let all = [&["test", "--url", &url, "--retry-delay", "10ms"], arguments].concat();
    Seedbed::new(directory).start(&all)
}

/// Four thousand rows, which take some 32 MB.
fn big(rows: &str) -> tempfile::TempDir {
    let table = format!(
        "create table big (text text); alter table big alter text set storage plain;
         insert into big select repeat('x', 7000) from generate_series(1, {rows});"
    );
    project(&[("migrations/V1__big.sql", &*table), ("scenarios/a.yaml", SCENARIO)])
}

#[test]
fn a_disk_that_fills_ends_the_suite_and_leaves_no_copy() {
    let directory = big("4000");
    let mut server = Server::new(&["fsync=off", "autovacuum=off"]);
    let output = test(directory.path(), &server, &[]).finish();
    assert_eq!(output.status, "0", "{}", output.text);
    server.end(Signal::SIGINT);
    // A file that may not grow is a full disk to the server, where what is written does not end at the limit.
    server.start_with_files_up_to((20 << 20) + 4096);
    let reports = ["--report", "json=r.json", "--report", "junit=r.xml", "--repeat", "20", "--jobs", "4"];
    let output = test(directory.path(), &server, &reports).finish();
    assert_eq!(output.status, "3", "{}", output.text);
    for words in ["the disk of the server is full", "No space left on device", "make room for it"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert_eq!(output.text.matches("the disk of the server is full").count(), 1, "{}", output.text);
    assert_eq!(server.rows(COPIES), [""; 0]);
    assert_eq!(server.rows(TEMPLATE).len(), 1);
    let lines = std::fs::read_to_string(directory.path().join("r.json")).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&"suite.ended".into(), &3.into()), "{last:#}");
    let junit = std::fs::read_to_string(directory.path().join("r.xml")).unwrap();
    assert!(junit.contains("No space left on device"), "{junit}");
    // There is room again.
    server.end(Signal::SIGINT);
    server.start();
    let output = test(directory.path(), &server, &[]).finish();
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_disk_that_fills_under_the_template_leaves_none() {
    let directory = big("4000");
    let mut server = Server::new(&["fsync=off", "autovacuum=off"]);
    server.end(Signal::SIGINT);
    server.start_with_files_up_to((20 << 20) + 4096);
    let output = test(directory.path(), &server, &[]).finish();
    assert_eq!(output.status, "4", "{}", output.text);
    assert!(output.text.contains("V1__big.sql"), "{}", output.text);
    assert_eq!(server.rows("select datname from pg_database where datname like 'seedbed%'"), [""; 0]);
}

#[test]
fn a_template_in_use_is_waited_for_and_its_users_are_named() {
    let directory = big("4000");
    let server = Server::new(&["fsync=off", "autovacuum=off"]);
    let output = test(directory.path(), &server, &[]).finish();
    assert_eq!(output.status, "0", "{}", output.text);
    let template = server.rows(TEMPLATE).remove(0);
    // It is sealed, so only a session that was there before can be in it.
    server.execute(&format!("alter database {template} allow_connections true"));
    let mut holder = postgres::Config::new();
    holder.host_path(server.socket().parent().unwrap()).user("postgres").dbname(&template);
    let holder = holder.application_name("somebody").connect(postgres::NoTls).unwrap();
    server.execute(&format!("alter database {template} allow_connections false"));

    let output = test(directory.path(), &server, &["--attempts", "1"]).finish();
    assert_eq!(output.status, "3", "{}", output.text);
    for words in ["a database is in use", &template, "somebody, process", "pg_terminate_backend"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert_eq!(server.rows(COPIES), [""; 0]);

    let running = test(directory.path(), &server, &[]);
    // The server itself waits for five seconds; then it is asked again.
    wait_for(|| (server.log().matches("is being accessed by other users").count() > 1).then_some(()));
    drop(holder);
    let output = running.finish();
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_second_signal_ends_a_suite_at_once_and_the_next_one_cleans_up() {
    let stubborn =
        "scenario: Stubborn\nsteps:\n  - sql: It does not let itself be cancelled\n    statements: |
      do $$ begin loop
        begin perform pg_sleep(60); exception when query_canceled then null; end;
      end loop; end $$\n";
    let directory = project(&[
        ("scenarios/a.yaml", stubborn),
        ("scenarios/b.yaml", "scenario: B\nsteps: [{assert: One, query: select 1, value: 1}]\n"),
    ]);
    let server = Server::new(&["fsync=off"]);
    for (pause, is_second) in [(Duration::from_millis(10), false), (Duration::from_millis(500), true)] {
        let report = directory.path().join("r.json");
        let _ = std::fs::remove_file(&report);
        let running = test(directory.path(), &server, &["a", "--report", "json=r.json"]);
        let pid = Pid::from_raw(running.pid() as i32);
        wait_for(|| server.rows("select 1 from pg_stat_activity where wait_event = 'PgSleep'").pop());
        let started = Instant::now();
        kill(pid, Signal::SIGTERM).unwrap();
        sleep(pause);
        kill(pid, Signal::SIGTERM).unwrap();
        let output = running.finish();
        assert_eq!(output.status, "143", "{}", output.text);
        assert_eq!(report.exists(), !is_second, "{}", output.text);
        assert_eq!(server.rows(COPIES).is_empty(), !is_second);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
    let output = test(directory.path(), &server, &["b"]).finish();
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(server.rows(COPIES), [""; 0]);
}

#[test]
fn there_are_no_more_jobs_than_the_server_has_connections_for() {
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: A\nsteps: [{assert: One, query: \"select 1 from pg_sleep(0.05)\", value: 1}]\n",
    )]);
    let server = Server::new(&["fsync=off", "max_connections=10"]);
    let output = test(directory.path(), &server, &["--jobs", "20", "--repeat", "40", "--json"]).finish();
    assert_eq!(output.status, "0", "{}", output.text);
    let report: Value = serde_json::from_str(&output.text).unwrap();
    assert_eq!(report["jobs"], 3, "{report:#}");
}

#[test]
fn runs_on_two_databases_leave_each_other_alone() {
    let slow = "scenario: Slow\nsteps: [{assert: One, query: \"select 1 from pg_sleep(2)\", value: 1}]\n";
    let quick = "scenario: Quick\nsteps: [{assert: One, query: select 1, value: 1}]\n";
    let migration = "create table t (id int); select pg_sleep(1);";
    let directory = project(&[
        ("migrations/V1__t.sql", migration),
        ("scenarios/quick.yaml", quick),
        ("scenarios/slow.yaml", slow),
    ]);
    let server = Server::new(&["fsync=off"]);
    server.execute("create role app createdb login");
    for name in ["one", "two"] {
        server.execute(&format!("create database {name} owner app"));
    }
    // So they meet on no database that they have in common.
    for name in ["postgres", "template1"] {
        server.execute(&format!("revoke connect on database {name} from public"));
    }
    let start = |name: &str, scenario: &str| {
        Seedbed::new(directory.path()).start(&["test", scenario, "--url", &server.url_of("app", name)])
    };
    let first = start("one", "slow");
    wait_for(|| server.rows("select 1 from pg_stat_activity where wait_event = 'PgSleep'").pop());
    // It finds the template unfinished, then that there is one, and the copy of the other one in use.
    for _ in 0..2 {
        let output = start("two", "quick").finish();
        assert_eq!(output.status, "0", "{}", output.text);
    }
    let output = first.finish();
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(server.rows(COPIES), [""; 0]);
    assert_eq!(server.rows(TEMPLATE).len(), 1);
}
