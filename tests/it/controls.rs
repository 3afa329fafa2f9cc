//! Whether and how steps are run, where time, roles or other sessions decide.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Database, Output, Seedbed, project};

fn run(database: &Database, scenario: &str, arguments: &[&str]) -> Output {
    let directory = project(&[("scenarios/a.yaml", scenario)]);
    let arguments = [&["run"], arguments].concat();
    Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&arguments)
}

/// Waits until a query finds something.
fn wait_for(database: &Database, sql: &str) {
    let started = Instant::now();
    while database.rows(sql).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "{sql} finds nothing");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_step_looks_again_until_another_session_has_written() {
    let database = Database::create();
    database.execute("create table t (id int); create table told (id int)");
    let name = database.name.clone();
    let writer = thread::spawn(move || {
        let database = Database { name };
        // A step that looks holds no lock between two looks: this would wait for it.
        let looked = "select from pg_stat_activity where datname = current_database() and application_name like 'seedbed%' and state = 'idle' and query like 'rollback%'";
        wait_for(&database, looked);
        database
            .execute("set lock_timeout = '5s'; alter table t add column n int; insert into t values (1, 2)");
    });
    let output = run(
        &database,
        "scenario: Looks again
steps:
  - verify: It comes
    exists: {t: {id: 1}}
    eventually: {within: 20s, every: 20ms}
  - assert: It is there
    query: select n from t
    value: 2
    eventually: {within: 20s}
",
        &[],
    );
    writer.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
    let line = output.text.lines().find(|line| line.contains("It comes")).unwrap();
    assert!(line.contains("✓") && line.contains(" tries"), "{line}");
    let line = output.text.lines().find(|line| line.contains("It is there")).unwrap();
    assert!(line.contains("✓") && !line.contains(" tries"), "{line}");
}

#[test]
fn a_step_that_never_holds_is_looked_at_until_its_time_is_over() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let scenario = "scenario: Never
steps:
  - verify: It never comes
    exists: {t: {id: 1}}
    eventually: {within: 400ms, every: 100ms}
finally:
  - assert: An error is not looked at again
    query: select * from nowhere
    rows: []
    eventually: {within: 30s, every: 30s}
  - assert: An error that comes is
    query: select 1 / (select count(*) from t)
    error: {condition: division_by_zero}
    eventually: {within: 30s, every: 30s}
";
    let started = Instant::now();
    let output = run(&database, scenario, &["--json"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(output.status, "1", "{}", output.text);
    let report: serde_json::Value = serde_json::from_str(&output.text).unwrap();
    let steps = report["scenarios"][0]["steps"].as_array().unwrap();
    let attempts = steps[0]["attempts"].as_u64().unwrap();
    assert!((3..=6).contains(&attempts), "{attempts}");
    assert!(steps[0]["elapsed_ms"].as_f64().unwrap() >= 400.0, "{}", steps[0]);
    let note = format!("looked {attempts} times within 400ms; this is the last");
    assert_eq!(steps[0]["problems"][0]["notes"][0], note.as_str(), "{}", steps[0]);
    let ends: Vec<_> = steps.iter().map(|step| (&step["outcome"], &step["attempts"])).collect();
    assert_eq!(ends[1], (&"error".into(), &1.into()));
    assert_eq!(ends[2], (&"refused".into(), &1.into()));
}

#[test]
fn a_role_is_acted_as_up_to_the_commit_and_no_longer() {
    let database = Database::create();
    let role = format!("{}_app", database.name);
    database.execute(&format!(
        "create role {role}; create role \"{role} two\";
         create table t (id int primary key, by name not null default current_user, late name);
         create function late() returns trigger language plpgsql security invoker as $$ begin
           update t set late = current_user where id = new.id and late is null; return null; end $$;
         create constraint trigger late after insert on t initially deferred for each row execute function late();
         grant insert, select, update on t to {role}, \"{role} two\";
         create table closed (id int)"
    ));
    let scenario = format!(
        "scenario: Roles
steps:
  - add: As another
    into: t
    key: id
    row: {{id: 1}}
    role: {role}
  - add: As one whose name must be quoted
    into: t
    key: id
    row: {{id: 2}}
    role: {role} two
  - add: As ourselves
    into: t
    key: id
    row: {{id: 3}}
  - assert: It may not look
    role: {role}
    query: select * from closed
    error: {{condition: insufficient_privilege}}
  - delete: It may not delete
    role: {role}
    from: t
    where: {{id: 1}}
    expect: {{error: {{sqlstate: 42501}}}}
  - assert: We may
    query: select * from closed
    rows: []
  - assert: Who was it
    query: select id, by, late from t
    rows:
      - {{id: 1, by: {role}, late: {role}}}
      - {{id: 2, by: {role} two, late: {role} two}}
      - {{id: 3, by: postgres, late: postgres}}
"
    );
    for mode in [&["--dry-run"][..], &[], &[]] {
        let output = run(&database, &scenario, mode);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    assert_eq!(
        database.rows("select number, outcome from seedbed_ledger order by number"),
        ["1|added", "2|added", "3|added"]
    );
    let refused = "scenario: Not allowed
steps:
  - add: Something
    into: closed
    row: {id: 1}
    role: ROLE
";
    let output = run(&database, &refused.replace("ROLE", &role), &[]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains(&format!("grant the right to `{role}`")), "{}", output.text);
}

#[test]
fn a_role_that_cannot_be_acted_as_is_said_before_the_first_step() {
    let database = Database::create();
    let (role, own) = (format!("{}_theirs", database.name), format!("{}_own", database.name));
    database.execute(&format!(
        "create role {role}; create role {own} login; grant create, usage on schema public to {own};
         create table t (id int); grant insert on t to {own}"
    ));
    let scenario = |role: &str| {
        format!(
            "scenario: Roles
steps:
  - add: First
    into: t
    row: {{id: 1}}
  - add: As another
    into: t
    row: {{id: 2}}
    role: {role}
    expect: {{error: {{condition: insufficient_privilege}}}}
"
        )
    };
    let directory = project(&[
        ("scenarios/a.yaml", &scenario(&role)),
        ("scenarios/b.yaml", "scenario: B\nsteps:\n  - verify: B\n    count: {t: 0}\n    role: nobodi\n"),
    ]);
    let url = database.url().replace("postgres@", &format!("{own}@"));
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &url]);
    assert_eq!(output.status, "2", "{}", output.text);
    for words in [&*format!("may not act as `{role}`"), "scenarios/a.yaml:9:11", "there is no role `nobodi`"]
    {
        assert!(output.text.contains(words), "no {words} in {}", output.text);
    }
    assert_eq!(database.rows("select * from t"), Vec::<String>::new());
}

#[test]
fn a_step_takes_no_longer_than_it_may() {
    let database = Database::create();
    let scenario = "scenario: Times
steps:
  - assert: Too long, as it should be
    query: select pg_sleep(20)
    timeout: 100ms
    error: {condition: query_canceled}
  - assert: The limit of another
    query: select current_setting('statement_timeout')
    value: 1min
  - assert: An own limit
    query: select current_setting('statement_timeout')
    value: 90s
    timeout: 90s
  - assert: Too long
    query: select pg_sleep(20)
    value: ''
    timeout: 100ms
";
    let started = Instant::now();
    let output = run(&database, scenario, &["--statement-timeout", "1min"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("3 steps held, 1 did not"), "{}", output.text);
    assert!(output.text.contains("raise the step's `timeout`"), "{}", output.text);
}

const LOST: &str = "scenario: Lost
steps:
  - add: Something
    id: something
    into: t
    key: id
    row: {id: 1}
  - assert: The end of the connection
    query: select pg_terminate_backend(pg_backend_pid())
    rows: []
  - add: Not reached
    into: t
    row: {id: 2}
finally:
  - delete: What was added
    from: t
    where: {id: 1}
    when: {something: added}
  - add: Another trace
    into: t
    key: id
    row: {id: 3}
";

#[test]
fn final_steps_are_run_on_a_new_connection_where_one_was_lost() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let output = run(&database, LOST, &["--attempts", "2", "--retry-delay", "10ms"]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("3 steps held, 1 did not, 1 not run"), "{}", output.text);
    assert_eq!(database.rows("select id from t"), ["3"]);
}

#[test]
fn final_steps_are_not_run_where_every_connection_is_lost() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let first = "  - delete: What was added";
    let again = "  - assert: The end of another
    query: select pg_terminate_backend(pg_backend_pid())
    rows: []
";
    let scenario = LOST.replace(first, &format!("{again}{first}"));
    let output = run(&database, &scenario, &["--attempts", "1"]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("1 step held, 2 did not, 3 not run"), "{}", output.text);
}

#[test]
fn a_run_that_is_interrupted_runs_no_final_steps() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let sleep = LOST.replace("pg_terminate_backend(pg_backend_pid())", "pg_sleep(30)");
    let directory = project(&[("scenarios/a.yaml", &sleep)]);
    let running = Seedbed::new(directory.path()).start(&["run", "--url", &database.url()]);
    wait_for(
        &database,
        "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
    );
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGTERM).unwrap();
    let output = running.finish();
    assert_eq!(output.status, "143", "{}", output.text);
    assert!(output.text.contains("1 step held, 1 did not, 3 not run"), "{}", output.text);
    assert_eq!(database.rows("select id from t"), ["1"]);
}

#[test]
fn an_error_that_would_be_tried_again_is_not_where_it_is_expected() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let mut holder = database.client();
    holder.batch_execute("begin; lock table t").unwrap();
    let scenario = "scenario: Locked
steps:
  - add: It waits in vain
    into: t
    row: {id: 1}
    expect: {error: {condition: lock_not_available}}
";
    let arguments = ["--lock-timeout", "100ms", "--attempts", "2", "--retry-delay", "10ms"];
    let output = run(&database, scenario, &arguments);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(!output.text.contains("tries"), "{}", output.text);
    let another = scenario.replace("lock_not_available", "unique_violation");
    let output = run(&database, &another, &arguments);
    assert_eq!(output.status, "1", "{}", output.text);
    for words in ["2 tries", "it is 55P03 (lock_not_available), not 23505 (unique_violation)"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
}

#[test]
fn statements_whose_connection_dies_are_all_done_again() {
    let database = Database::create();
    database.execute(
        "create table t (id int); create sequence tries;
         create function flaky() returns void language plpgsql as $$ begin
           if nextval('tries') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if; end $$",
    );
    let scenario = "scenario: Flaky
steps:
  - sql: Two rows
    statements: |
      insert into t values (1);
      select flaky();
      insert into t values (:id)
    with: {id: 2}
";
    let output = run(&database, scenario, &["--retry-delay", "10ms"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("2 tries"), "{}", output.text);
    assert_eq!(database.rows("select id from t order by 1"), ["1", "2"]);
    assert_eq!(database.rows("select outcome from seedbed_ledger"), ["done"]);
}

#[test]
fn a_collector_of_logs_sees_what_was_skipped_and_what_was_refused() {
    let database = Database::create();
    let scenario = "scenario: Logged
steps:
  - assert: Refused
    query: select 1 / 0
    error: {condition: division_by_zero}
  - assert: Skipped
    skip: not today
    query: select 1
    value: 1
  - assert: Wrong
    query: select 1
    value: 2
  - assert: Not run
    query: select 1
    value: 1
finally:
  - assert: Last
    query: select 1
    value: 1
";
    let output = run(&database, scenario, &["--log", "json", "--quiet"]);
    assert_eq!(output.status, "1", "{}", output.text);
    let lines = output.text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told: Vec<String> = lines
        .filter(|line| line["event.name"].as_str().is_some_and(|name| name.starts_with("seedbed.step.")))
        .map(|line| {
            let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            let name = word("event.name");
            let (level, step) = (word("severity_text"), word("seedbed.step"));
            format!("{name} {level} {step}: {}, {}", word("seedbed.outcome"), word("seedbed.detail"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "seedbed.step.begun INFO Refused: -, -",
            "seedbed.step.ended INFO Refused: refused, division_by_zero",
            "seedbed.step.ended INFO Skipped: skipped, not today",
            "seedbed.step.begun INFO Wrong: -, -",
            "seedbed.step.ended ERROR Wrong: differs, -",
            "seedbed.step.ended WARN Not run: not run, -",
            "seedbed.step.begun INFO Last: -, -",
            "seedbed.step.ended INFO Last: held, 1 row",
        ]
    );
}

#[test]
fn a_row_that_was_never_captured_stands_for_no_other() {
    let database = Database::create();
    database.execute("create table t (id int primary key, name text); insert into t values (1, 'stays')");
    let scenario = "scenario: Never
steps:
  - add: It is there already
    id: frank
    into: t
    row: {id: 1, name: Frank}
finally:
  - delete: It goes
    from: t
    where: {id: {$ref: frank.id}}
";
    for skip in ["", "\n    skip: not today"] {
        let scenario = scenario.replace("id: frank", &format!("id: frank{skip}"));
        let output = run(&database, &scenario, &[]);
        assert_eq!(output.status, "1", "{}", output.text);
        assert!(output.text.contains("`frank` has captured nothing"), "{}", output.text);
        assert_eq!(database.rows("select name from t"), ["stays"]);
    }
}
