//! Several runners at once, and runners that are killed.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::proxy::Proxy;
use super::trial::{Bench, socket};
use super::{all, trial, wait_for};
use crate::support::{Database, Output, Running, Seedbed, project};

/// The run's lock, as the runners take it.
const LOCK: &str = "select pg_advisory_lock(x'73656565'::int, hashtext('public'))";

fn up(directory: &std::path::Path, url: &str, arguments: &[&str]) -> Running {
    let mut all = vec!["up", "--url", url, "--verbose"];
    all.extend(arguments);
    Seedbed::new(directory).start(&all)
}

/// Eight at once on an empty database: all are green, each effect is there once, and what each of them
/// adds is there eight times.
fn eight_at_once(url: impl Fn(&Database) -> String) {
    let database = Database::create();
    let url = url(&database);
    let runners: Vec<Running> = (0..8).map(|_| up(&trial::project(), &url, &[])).collect();
    // Each is read on a thread of its own, so that none is held up by a full pipe.
    let readers: Vec<_> = runners.into_iter().map(|runner| thread::spawn(|| runner.finish())).collect();
    for reader in readers {
        let output = reader.join().unwrap();
        assert_eq!(output.status, "0", "{}", output.text);
    }
    let rows = |sql: &str| database.rows(sql).remove(0);
    assert_eq!(rows("select count(*) || ' ' || count(distinct what) from effects"), "7 7");
    assert_eq!(rows("select count(*) from refinery_schema_history"), "2");
    assert_eq!(rows("select count(*) from visits"), "8");
    assert_eq!(
        database.rows("select outcome, count(*) from seedbed_ledger group by 1 order by 1"),
        ["added|9", "created|1", "deleted|1"]
    );
    // The last of them may be ending still.
    database.wait_for_counters();
    assert_eq!(
        rows(
            "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
        ),
        "0"
    );
    client_drop(&database);
}

fn client_drop(database: &Database) {
    let other = Database { name: "postgres".to_owned() };
    other.execute(&format!("drop database {} with (force)", database.name));
}

#[test]
fn eight_runners_at_once_apply_everything_once() {
    let rounds = if all() { 50 } else { 5 };
    for _ in 0..rounds {
        eight_at_once(Database::url);
    }
    eprintln!("{} green runs, eight at a time", rounds * 8);
}

#[test]
fn eight_runners_behind_a_pooler_where_no_lock_of_a_run_is_apply_everything_once() {
    // The port of a pooler is enough to be taken for one.
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(socket(), directory.path().join(".s.PGSQL.6432")).unwrap();
    let rounds = if all() { 50 } else { 3 };
    for _ in 0..rounds {
        eight_at_once(|database| {
            format!("host={} port=6432 user=postgres dbname={}", directory.path().display(), database.name)
        });
    }
}

#[test]
fn a_runner_goes_on_when_the_one_it_waits_for_is_killed() {
    let database = Database::create();
    database.execute("create sequence tries");
    let sql = "create table a ();\nselect pg_sleep(case nextval('tries') when 1 then 60 else 0 end);\n";
    let directory = project(&[("migrations/V1__a.sql", sql)]);
    let first = up(directory.path(), &database.url(), &[]);
    let sleeps = "select application_name from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    let name = wait_for(|| database.rows(sleeps).pop());
    let mut second = up(directory.path(), &database.url(), &[]);
    let said = second.read_until("waiting for another runner");
    assert!(said.contains(&name), "{name} is not named: {said}");
    kill(Pid::from_raw(first.pid() as i32), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    assert!(first.finish().status.starts_with("signal: 9"));
    let output = second.finish();
    assert_eq!(output.status, "0", "{}", output.text);
    // The server looks every five seconds whether the client is still there.
    assert!(killed.elapsed() < Duration::from_secs(8), "{:?}", killed.elapsed());
    assert_eq!(database.rows("select version from refinery_schema_history"), ["1"]);
}

#[test]
fn the_wait_for_another_runner_ends_when_it_should_and_names_the_holder() {
    let database = Database::create();
    let directory = project(&[("migrations/V1__a.sql", "create table a ();")]);
    let mut holder = database.client();
    holder.batch_execute(&format!("set application_name = 'seedbed else-where'; {LOCK}")).unwrap();
    for (wait, least, most) in [("0s", 0, 900), ("1s", 1000, 2500)] {
        let started = Instant::now();
        let output = up(directory.path(), &database.url(), &["--lock-wait", wait]).finish();
        let elapsed = started.elapsed().as_millis();
        assert_eq!(output.status, "5", "{}", output.text);
        for words in ["seedbed else-where", "select pg_terminate_backend(", "--lock-wait"] {
            assert!(output.text.contains(words), "no `{words}` in {}", output.text);
        }
        assert!((least..most).contains(&elapsed), "{wait}: {elapsed} ms");
    }
    assert_eq!(database.rows("select count(*) from pg_class where relname = 'a'"), ["0"]);
}

#[test]
fn a_runner_that_waits_does_not_block_an_index_that_is_built_concurrently() {
    let database = Database::create();
    database.execute("create table big as select generate_series(1, 10000) id");
    let directory = project(&[("migrations/V1__a.sql", "create table a ();")]);
    let mut holder = database.client();
    holder.batch_execute(LOCK).unwrap();
    let mut waiting = up(directory.path(), &database.url(), &[]);
    waiting.read_until("waiting for another runner");
    holder.batch_execute("set statement_timeout = '10s'").unwrap();
    holder.batch_execute("create index concurrently on big (id)").unwrap();
    drop(holder);
    assert_eq!(waiting.finish().status, "0");
}

#[test]
fn a_connection_that_is_cut_while_it_waits_for_another_runner_is_replaced() {
    let database = Database::create();
    let directory = project(&[("migrations/V1__a.sql", "create table a ();")]);
    let mut holder = database.client();
    holder.batch_execute(LOCK).unwrap();
    let mut waiting = up(directory.path(), &database.url(), &["--wait", "1s"]);
    waiting.read_until("waiting for another runner");
    for _ in 0..3 {
        sleep(Duration::from_millis(1200)); // Longer than a server may be away.
        let end = "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name like 'seedbed %'";
        wait_for(|| database.rows(end).pop());
    }
    sleep(Duration::from_millis(1200));
    drop(holder);
    let output = waiting.finish();
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_killed_runner_s_statement_and_locks_are_gone_soon() {
    let database = Database::create();
    database.execute(
        "create table t (id int);
         create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return null; end $$;
         create trigger slow after insert on t for each row execute function slow()",
    );
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Killed\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n",
    )]);
    let run = up(directory.path(), &database.url(), &[]);
    let ours = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'seedbed %'";
    let sleeps =
        "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    wait_for(|| database.rows(sleeps).pop());
    kill(Pid::from_raw(run.pid() as i32), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    run.finish();
    wait_for(|| (database.rows(ours) == ["0"]).then_some(()));
    assert!(killed.elapsed() < Duration::from_secs(7), "{:?}", killed.elapsed());
    assert_eq!(database.rows("select id from t"), Vec::<String>::new());
}

#[test]
fn a_runner_that_is_killed_as_it_reports_leaves_everything_in_order() {
    let mut bench = Bench::new();
    for line in
        ["database", "migrations", "V1", "V2", "A roster under fire", "Alice works", "Eve pays", "Bob", "ok"]
    {
        bench.empty();
        let proxy = Proxy::before(&socket(), None);
        let mut run = bench.begin(&proxy, &[]);
        let text = run.read_until(line);
        kill(Pid::from_raw(run.pid() as i32), Signal::SIGKILL).unwrap();
        let rest = run.finish();
        let output = Output { text: text + &rest.text, status: rest.status };
        drop(proxy);
        let violations = bench.judge(&output);
        assert!(violations.is_empty(), "killed at `{line}`: {violations:?}\n{}", output.text);
    }
}
