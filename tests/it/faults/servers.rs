//! Servers that fall over, are shut down, stopped, or take no writes, while a run is at work.

use std::path::Path;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::own_server::Server;
use super::wait_for;
use crate::support::{Database, Output, Running, Seedbed, project};

const MIGRATION: &str = "create table t (id int primary key);
    create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return null; end $$;
    create trigger slow after insert on t for each row execute function slow();";
const ADD: &str = "scenario: Trouble\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n";
const SLEEPS: &str =
    "select pid from pg_stat_activity where application_name like 'seedbed %' and wait_event = 'PgSleep'";

fn files() -> tempfile::TempDir {
    project(&[("migrations/V1__t.sql", MIGRATION), ("scenarios/a.yaml", ADD)])
}

fn up(directory: &Path, url: &str, arguments: &[&str]) -> Running {
    let mut all = vec!["up", "--url", url, "--retry-delay", "10ms", "--verbose"];
    all.extend(arguments);
    Seedbed::new(directory).start(&all)
}

fn held(output: &Output) {
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_server_that_falls_over_or_is_restarted_is_waited_for() {
    let mut server = Server::new(&["fsync=off"]);
    let directory = files();
    for accident in ["a process is killed", "all is killed", "fast shutdown", "immediate shutdown"] {
        server.execute("drop schema public cascade; create schema public");
        let run = up(directory.path(), &server.url(), &["--wait", "20s"]);
        let pid = wait_for(|| server.rows(SLEEPS).pop());
        match accident {
            "a process is killed" => kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap(),
            "all is killed" => server.end(Signal::SIGKILL),
            "fast shutdown" => server.end(Signal::SIGINT),
            _ => server.end(Signal::SIGQUIT),
        }
        if accident != "a process is killed" {
            sleep(Duration::from_millis(300));
            server.start();
        }
        let output = run.finish();
        held(&output);
        assert!(output.text.contains("2 tries"), "{accident}: {}", output.text);
        assert_eq!(server.rows("select id from t"), ["1"], "{accident}");
        assert_eq!(server.rows("select title from seedbed_ledger"), ["One"], "{accident}");
    }
}

#[test]
fn sessions_that_are_ended_at_any_time_are_replaced() {
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like 'seedbed %'";
    let mut ended = 0;
    // How many are met is chance, and fewer on a fast machine.
    for _ in 0..30 {
        let database = Database::create();
        let directory = super::trial::project();
        let run = up(&directory, &database.url(), &["--attempts", "1000", "--wait", "60s"]);
        for pause in [3, 7, 11, 13, 17, 19, 23, 29, 31, 37].iter().cycle().take(20) {
            ended += database.rows(end).len();
            sleep(Duration::from_millis(*pause));
        }
        let output = run.finish();
        held(&output);
        assert_eq!(database.rows("select count(*) from effects"), ["7"], "{}", output.text);
        assert_eq!(database.rows("select who from visits"), ["Eve"], "{}", output.text);
        if ended >= 10 {
            return;
        }
    }
    panic!("only {ended} sessions were ended");
}

#[test]
fn a_migration_whose_connection_dies_is_done_again() {
    let database = Database::create();
    database.execute("create sequence tries");
    let sql = "create table a ();\ndo $$ begin if nextval('tries') <= 2 then perform pg_terminate_backend(pg_backend_pid()); end if; end $$;\ncreate table b ();\n";
    let directory = project(&[("migrations/V1__flaky.sql", sql)]);
    let output = up(directory.path(), &database.url(), &[]).finish();
    held(&output);
    assert!(output.text.contains("3 tries"), "{}", output.text);
    assert_eq!(database.rows("select version from refinery_schema_history"), ["1"]);
}

#[test]
fn a_process_that_pauses_goes_on_and_a_server_that_pauses_is_waited_for() {
    let server = Server::new(&["fsync=off"]);
    let directory = files();
    let run = up(directory.path(), &server.url(), &[]);
    let pid = Pid::from_raw(wait_for(|| server.rows(SLEEPS).pop()).parse().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    sleep(Duration::from_secs(2));
    kill(pid, Signal::SIGCONT).unwrap();
    let output = run.finish();
    held(&output);
    assert!(!output.text.contains("tries"), "{}", output.text);
    // Nobody answers the door, for a while and for good.
    kill(server.postmaster(), Signal::SIGSTOP).unwrap();
    let started = Instant::now();
    let output = up(directory.path(), &server.url(), &["--wait", "2s", "--connect-timeout", "1s"]).finish();
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("the server was silent for 1s"), "{}", output.text);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let run = up(directory.path(), &server.url(), &["--wait", "20s", "--connect-timeout", "1s"]);
    sleep(Duration::from_secs(2));
    kill(server.postmaster(), Signal::SIGCONT).unwrap();
    let output = run.finish();
    assert!(!output.text.contains("pending\n  ✓"), "{}", output.text);
    // The step has no key: the second run adds the same row, which the table refuses.
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("23505"), "{}", output.text);
}

#[test]
fn a_server_that_takes_no_writes_is_waited_for() {
    let database = Database::create();
    let directory = files();
    let set = |value: &str| {
        database.execute(&format!(
            "alter database {} set default_transaction_read_only = {value}",
            database.name
        ));
    };
    set("on");
    let output = up(directory.path(), &database.url(), &["--wait", "1s"]).finish();
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("takes no writes"), "{}", output.text);
    assert!(output.text.contains("help: is it a standby"), "{}", output.text);
    thread::scope(|scope| {
        let run = up(directory.path(), &database.url(), &["--wait", "20s"]);
        scope.spawn(|| {
            sleep(Duration::from_millis(1500));
            let mut client = database.client();
            client.batch_execute("set default_transaction_read_only = off").unwrap();
            client
                .batch_execute(&format!(
                    "alter database {} reset default_transaction_read_only",
                    database.name
                ))
                .unwrap();
        });
        held(&run.finish());
    });
    assert_eq!(database.rows("select id from t"), ["1"]);
}

#[test]
fn a_standby_is_waited_for_until_it_is_promoted() {
    let mut server = Server::new(&["fsync=off"]);
    server.become_standby();
    let directory = files();
    let output = up(directory.path(), &server.url(), &["--wait", "1s"]).finish();
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("takes no writes"), "{}", output.text);
    let run = up(directory.path(), &server.url(), &["--wait", "20s"]);
    sleep(Duration::from_secs(1));
    server.rows("select pg_promote()");
    held(&run.finish());
    assert_eq!(server.rows("select id from t"), ["1"]);
}

#[test]
fn a_file_that_may_not_grow_ends_the_step_and_keeps_nothing() {
    let mut server = Server::new(&["fsync=off", "autovacuum=off"]);
    server.end(Signal::SIGINT);
    server.start_with_files_up_to(20 << 20);
    server.execute(
        "create table t (id int); create table big (text text); alter table big alter text set storage plain;
         create function fill() returns trigger language plpgsql as $$
         begin insert into big select repeat('x', 7000) from generate_series(1, 6000); return null; end $$;
         create trigger fill after insert on t for each row execute function fill()",
    );
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let output = up(directory.path(), &server.url(), &[]).finish();
    assert_eq!(output.status, "1", "{}", output.text);
    for words in ["File too large", "One", "scenarios/a.yaml:3"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert!(!output.text.contains("try 2"), "{}", output.text);
    assert_eq!(server.rows("select id from t"), Vec::<String>::new());
    assert_eq!(server.rows("select title from seedbed_ledger"), Vec::<String>::new());
}

#[test]
fn of_several_servers_the_one_that_takes_writes_is_found() {
    let mut standby = Server::new(&["fsync=off"]);
    standby.become_standby();
    let primary = Server::new(&["fsync=off"]);
    let directory = files();
    let [first, second] = [&standby, &primary].map(|it| it.socket().parent().unwrap().display().to_string());
    let both = format!("host={first},{second} user=postgres dbname=postgres");
    held(&up(directory.path(), &both, &["--wait", "20s"]).finish());
    assert_eq!(primary.rows("select id from t"), ["1"]);
    // One that is asked for writes and has none yet.
    let only = format!("host={first} user=postgres dbname=postgres target_session_attrs=read-write");
    let run = up(directory.path(), &only, &["--wait", "20s"]);
    sleep(Duration::from_secs(1));
    standby.rows("select pg_promote()");
    held(&run.finish());
    assert_eq!(standby.rows("select id from t"), ["1"]);
}

#[test]
fn behind_a_server_that_never_answers_the_next_one_is_tried() {
    let silent = Server::new(&["fsync=off"]);
    let primary = Server::new(&["fsync=off"]);
    kill(silent.postmaster(), Signal::SIGSTOP).unwrap();
    let directory = files();
    let [first, second] = [&silent, &primary].map(|it| it.socket().parent().unwrap().display().to_string());
    let both = format!("host={first},{second} user=postgres dbname=postgres");
    held(&up(directory.path(), &both, &["--wait", "20s", "--connect-timeout", "1s"]).finish());
    assert_eq!(primary.rows("select id from t"), ["1"]);
}
