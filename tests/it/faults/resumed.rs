//! A migration without a transaction that was cut off: the next run goes on with what is not done, and does
//! nothing twice.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait_for;
use crate::support::{Database, Output, Seedbed, project};

/// What a statement sleeps in until there is a row in `awake`.
const SLOW: &str =
    "create table awake (n int); create schema app; create table app.t (n int); insert into app.t values (0);
    create function slow(n int) returns int immutable language plpgsql as $$
    begin if not exists (select from public.awake) then perform pg_sleep(3); end if; return n; end $$;";
const SLEEPS: &str = "select pid from pg_stat_activity where application_name like 'seedbed%'
    and wait_event = 'PgSleep' and datname = current_database()";

fn migrate(database: &Database, directory: &tempfile::TempDir) -> Output {
    Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["migrate"])
}

/// Kills the run of a migration while it sleeps, and the server's process too if that is to end at once.
fn cut_off(migration: &str, is_ended: bool) -> (Database, tempfile::TempDir) {
    let database = Database::create();
    database.execute(SLOW);
    let text = format!("-- seedbed: no-transaction\n{migration}");
    let directory = project(&[("migrations/V1__a.sql", &*text)]);
    let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
    let running = seedbed.start(&["migrate"]);
    let process = wait_for(|| database.rows(SLEEPS).pop());
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGKILL).unwrap();
    running.finish();
    if is_ended {
        database.execute(&format!("select pg_terminate_backend({process})"));
    }
    database.wait_for_counters();
    database.execute("insert into awake values (1)");
    (database, directory)
}

#[test]
fn rows_are_written_once_though_nobody_heard_that_they_were() {
    let migration = "update app.t set n = n + 1;\nupdate app.t set n = n + slow(10);\n";
    let (database, directory) = cut_off(migration, false);
    // The server has gone on to the end of the statement, and kept nothing of it.
    assert_eq!(database.rows("select n from app.t"), ["1"]);
    for _ in 0..2 {
        let output = migrate(&database, &directory);
        assert_eq!(output.status, "0", "{}", output.text);
        assert_eq!(database.rows("select n from app.t"), ["11"]);
    }
}

#[test]
fn an_index_is_built_anew_where_its_table_is() {
    let valid =
        "select i.indexrelid::regclass, i.indisvalid from pg_index i where i.indrelid = 'app.t'::regclass";
    for migration in [
        "create index concurrently i on app.t (slow(n));\n",
        "set search_path = app, public;\ncreate index concurrently i on t (slow(n));\n",
    ] {
        let (database, directory) = cut_off(migration, true);
        assert_eq!(database.rows(valid), ["app.i|f"], "{migration}");
        let output = migrate(&database, &directory);
        assert_eq!(output.status, "0", "{migration}: {}", output.text);
        assert_eq!(database.rows(valid), ["app.i|t"], "{migration}");
    }
}

#[test]
fn an_index_that_nobody_could_find_again_is_not_begun() {
    let database = Database::create();
    database.execute("create table t (n int)");
    let text = "-- seedbed: no-transaction\ncreate index concurrently on t (n);\n";
    let directory = project(&[("migrations/V1__a.sql", text)]);
    let output = migrate(&database, &directory);
    assert_eq!(output.status, "4", "{}", output.text);
    assert!(output.text.contains("needs a name") && output.text.contains("V1__a.sql:2:1"), "{}", output.text);
    assert_eq!(database.rows("select 1 from pg_index where indrelid = 't'::regclass"), [""; 0]);
}

#[test]
fn a_baseline_is_refused_under_the_lock_of_who_migrates() {
    let database = Database::create();
    let files = [
        ("migrations/V1__a.sql", "create table a (); select pg_sleep(2);"),
        ("migrations/V2__b.sql", "create table b ()"),
    ];
    let directory = project(&files);
    let call = || Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
    let running = call().start(&["migrate"]);
    wait_for(|| database.rows(SLEEPS).pop());
    let baseline = call().run(&["baseline", "2"]);
    assert_eq!(running.finish().status, "0");
    assert_eq!(baseline.status, "4", "{}", baseline.text);
    assert!(baseline.text.contains("has a history already"), "{}", baseline.text);
    assert_eq!(database.rows("select to_regclass('b') is not null"), ["t"]);
}

#[test]
fn a_database_is_taken_for_another_by_nobody() {
    let database = Database::create();
    let files = [
        ("migrations/V1__a.sql", "create table a (id int primary key)"),
        ("fixtures/a.yaml", "rows: [{id: 1}]\n"),
        ("scenarios/a.yaml", "scenario: A\nsteps:\n  - seed: All\n    fixtures: [a]\n"),
    ];
    let directory = project(&files);
    let call = |arguments: &[&str]| {
        Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(arguments)
    };
    assert_eq!(call(&["environment", "production", "--protect"]).status, "0");
    for arguments in [
        &["up", "--environment", "staging"][..],
        &["migrate", "--environment", "staging"],
        &["environment", "staging"],
        &["environment", "production"],
    ] {
        let output = call(arguments);
        assert_eq!(output.status, "7", "{arguments:?}: {}", output.text);
        assert!(output.text.contains("--confirm production"), "{}", output.text);
    }
    assert_eq!(database.rows("select to_regclass('a')"), ["null"]);
    assert_eq!(call(&["up", "--environment", "production"]).status, "0");
    assert_eq!(call(&["environment", "staging", "--confirm", "production"]).status, "0");
    assert_eq!(database.rows("select name, is_protected from seedbed_environment"), ["staging|f"]);
}

#[test]
fn a_rehearsal_creates_no_database() {
    let url = Database { name: format!("never_{}", std::process::id()) };
    let directory = project(&[("migrations/V1__a.sql", "create table a ()")]);
    let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &url.url());
    let output = seedbed.run(&["up", "--create", "--dry-run"]);
    assert_eq!(output.status, "3", "{}", output.text);
    let server = Database { name: "postgres".to_owned() };
    assert_eq!(server.rows(&format!("select 1 from pg_database where datname = '{}'", url.name)), [""; 0]);
}
