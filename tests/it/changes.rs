//! What a step may write: the counts of triggers, cascades, partitions, and of what is undone on the way.

use crate::proxy::Proxy;
use crate::support::{Database, Output, Seedbed, project, server};

fn run(database: &Database, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = project(files);
    let arguments: Vec<&str> = ["run"].iter().chain(arguments).copied().collect();
    Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&arguments)
}

/// Runs one step, and says with which outcome it ended.
fn outcome(database: &Database, step: &str) -> String {
    let scenario = format!("scenario: S\nsteps:\n  - {step}\n");
    let output = run(database, &[("scenarios/a.yaml", &scenario)], &["--json"]);
    let report: serde_json::Value =
        serde_json::from_str(&output.text).unwrap_or_else(|_| panic!("{}", output.text));
    let step = &report["scenarios"][0]["steps"][0];
    format!("{} {}", step["outcome"].as_str().unwrap_or("none"), step["problems"][0]["message"])
}

#[test]
fn what_deferred_triggers_write_is_counted_before_the_commit() {
    let database = Database::create();
    database.execute(
        "create table t (id int primary key); create table late (id int);
         create function late() returns trigger language plpgsql as $$ begin
           insert into late values (new.id); return null; end $$;
         create constraint trigger late after insert on t deferrable initially deferred
           for each row execute function late()",
    );
    let step = |changes: &str| format!("add: it\n    into: t\n    row: {{id: 1}}\n    changes: {changes}");
    assert_eq!(
        outcome(&database, &step("{t: {inserted: 1}}")),
        "wrote_otherwise \"add `it`: 1 row of `late` was inserted, and `changes` does not name it\""
    );
    assert_eq!(database.rows("select count(*) from t union all select count(*) from late"), ["0", "0"]);
    assert_eq!(outcome(&database, &step("{t: {inserted: 1}, late: {inserted: 1}}")), "added null");
    assert_eq!(database.rows("select count(*) from t union all select count(*) from late"), ["1", "1"]);
}

#[test]
fn what_a_constraint_refuses_only_at_the_commit_is_an_error_as_ever() {
    let database = Database::create();
    database.execute(
        "create table p (id int primary key);
         create table c (id int references p deferrable initially deferred)",
    );
    let ended = outcome(
        &database,
        "add: it\n    into: c\n    row: {id: {$sql: '7'}}\n    changes: {c: {inserted: 1}}",
    );
    assert!(ended.starts_with("error ") && ended.contains("foreign key"), "{ended}");
}

#[test]
fn rows_of_partitions_are_rows_of_the_table_that_is_named() {
    let database = Database::create();
    database.execute(
        "create schema parts; create table m (id int, at int) partition by range (at);
         create table parts.low partition of m for values from (0) to (10);
         create table parts.high partition of m for values from (10) to (100) partition by list (id);
         create table parts.one partition of parts.high for values in (1);
         create table parts.rest partition of parts.high default",
    );
    let step = |changes: &str| {
        format!(
            "sql: it\n    statements: insert into m values (1, 1), (1, 11), (2, 12)\n    changes: {changes}"
        )
    };
    let kept = |changes: &str| assert_eq!(outcome(&database, &step(changes)), "done null", "{changes}");
    kept("{m: {inserted: 3}}");
    kept("{m: {inserted: 1}, parts.high: {inserted: 2}}");
    kept("{parts.low: {inserted: 1}, parts.high: {inserted: 1}, parts.one: {inserted: 1}}");
    let refused = |changes: &str, message: &str| {
        assert_eq!(outcome(&database, &step(changes)), format!("wrote_otherwise \"sql `it`: {message}\""));
    };
    refused("{parts.low: {inserted: 1}}", "2 rows of `m` were inserted, and `changes` does not name it");
    refused("{m: {inserted: 3}, parts.one: {inserted: 1}}", "2 rows of `m` were inserted, not 3");
    // A row that moves to another partition goes here and comes there.
    let moved = "sql: it\n    statements: update m set at = 50 where at = 1\n    changes: {m: {inserted: 3, deleted: 3}}";
    assert_eq!(outcome(&database, moved), "done null");
}

#[test]
fn no_table_is_out_of_sight() {
    let database = Database::create();
    database.execute(
        "create table t (id int primary key); create schema far; create table far.log (id int);
         create function log() returns trigger language plpgsql as $$ begin
           insert into far.log values (new.id); create temp table own (id int) on commit drop;
           insert into own values (1); return null; end $$;
         create trigger log after insert on t for each row execute function log()",
    );
    let step = |id: u32, changes: &str| {
        format!("add: it\n    into: t\n    row: {{id: {id}}}\n    changes: {changes}")
    };
    let ended = outcome(&database, &step(1, "{t: {inserted: 1}}"));
    assert!(ended.contains("1 row of `far.log` was inserted"), "{ended}");
    // What a step leaves behind for itself alone, and the ledger, are no changes.
    assert_eq!(outcome(&database, &step(1, "{t: {inserted: 1}, far.log: {inserted: 1}}")), "added null");
    assert_eq!(database.rows("select outcome from seedbed_ledger"), ["added"]);
}

#[test]
fn a_server_that_does_not_count_is_not_believed() {
    let database = Database::create();
    database.execute("create table t (id int)");
    database.execute(&format!("alter database {} set track_counts = off", database.name));
    let ended = outcome(&database, "add: it\n    into: t\n    row: {id: 1}\n    changes: {t: {inserted: 1}}");
    assert_eq!(ended, "error \"the server does not count what is written\"");
    assert_eq!(database.rows("select count(*) from t"), ["0"]);
}

#[test]
fn each_step_of_a_session_has_its_own_counts() {
    let database = Database::create();
    database.execute("create table t (id int primary key)");
    let mut scenario = "scenario: S\nsteps:\n".to_owned();
    for id in 1..=4 {
        scenario.push_str(&format!(
            "  - add: row {id}\n    into: t\n    row: {{id: {id}}}\n    changes: {{t: {{inserted: 1}}}}\n"
        ));
        // What is rolled back goes on being counted by the server.
        scenario.push_str(&format!(
            "  - add: row {id} again\n    into: t\n    row: {{id: {id}}}\n    expect: {{error: {{condition: unique_violation}}}}\n"
        ));
    }
    scenario.push_str("  - delete: all\n    from: t\n    where: {id: 1}\n    role: postgres\n    changes: {t: {deleted: 1}}\n");
    for arguments in [&["--dry-run"][..], &[]] {
        let output = run(&database, &[("scenarios/a.yaml", &scenario)], arguments);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    assert_eq!(database.rows("select count(*) from t"), ["3"]);
}

#[test]
fn what_is_undone_on_the_way_to_many_rows_is_not_counted() {
    let database = Database::create();
    // The short way inserts what is missing, finds that the others are there and a trigger too, and gives up.
    database.execute(
        "create table t (id int primary key, n int); create table log (id int);
         insert into t select i, i from generate_series(1501, 1511) i;
         create function log() returns trigger language plpgsql as $$ begin
           insert into log values (new.id); return null; end $$;
         create trigger log after insert on t for each row execute function log()",
    );
    let rows: String = (1..=2000).map(|id| format!("{id},{id}\n")).collect();
    let fixture = format!("id,n\n{rows}");
    let scenario = "scenario: S\nsteps:\n  - seed: many\n    fixtures: t\n    changes: {t: {inserted: 1989}, log: {inserted: 1989}}\n";
    let output = run(&database, &[("fixtures/t.csv", &fixture), ("scenarios/a.yaml", scenario)], &[]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("log +1989, t +1989,"), "{}", output.text);
}

#[test]
fn only_a_step_that_says_what_it_may_write_pays_for_it() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    database.execute("create table t (id int primary key, n int)");
    let scenario = "scenario: S
steps:
  - add: without
    into: t
    row: {id: 1}
  - add: with
    into: t
    row: {id: 2}
    changes: {t: {inserted: 1}}
  - change: without again
    in: t
    where: {id: 1}
    set: {n: 1}
";
    let directory = project(&[("scenarios/a.yaml", scenario)]);
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    let counted = proxy.take();
    let counts: Vec<usize> = counted.transactions.iter().map(|(_, count)| *count).collect();
    // What creates the ledger comes first. Behind a step that has written, the begin asks for the counts.
    assert_eq!(counts, [1, 3, 4, 3], "{counted:?}");
}
