//! Tables that are as they were: over lost connections, with many rows, while others write; and what is tried
//! and undone.

use std::process::Command;

use crate::proxy::Proxy;
use crate::support::{Database, Output, Seedbed, project, server};

fn run(database: &Database, scenario: &str, arguments: &[&str]) -> Output {
    let directory = project(&[("scenarios/a.yaml", scenario)]);
    let arguments: Vec<&str> = ["run"].iter().chain(arguments).copied().collect();
    Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&arguments)
}

#[test]
fn what_was_kept_outlives_the_connection() {
    let database = Database::create();
    database.execute("create table t (id int primary key, n int); insert into t values (1, 1), (2, 2)");
    // The second step ends its own connection the first time, and is done again on a new one.
    database.execute(
        "create table told (id int); create sequence tries;
         create function cut() returns trigger language plpgsql as $$ begin
           if nextval('tries') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); end if;
           return new; end $$;
         create trigger cut before insert on told for each row execute function cut()",
    );
    let scenario = "scenario: S
steps:
  - add: It is cut off
    into: told
    row: {id: 1}
  - verify: The same
    unchanged: [t]
  - sql: It changes
    statements: update t set n = 3 where id = 2
  - verify: Not the same
    unchanged: [t]
";
    let output = run(&database, scenario, &[]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("2 tries"), "{}", output.text);
    assert!(output.text.contains("`t` is not as it was at the start: 1 row changed"), "{}", output.text);
    assert!(output.text.contains("~ 2   2 → 3"), "{}", output.text);
    assert!(output.text.lines().any(|line| line.contains("✓ verify  The same")), "{}", output.text);
}

#[test]
fn many_rows_are_kept_by_their_hashes_and_too_many_by_a_fingerprint() {
    let database = Database::create();
    database.execute(
        "create table many (id int primary key, name text); create table too_many (id int);
         insert into many select i, repeat('x', 200) from generate_series(1, 99000) i;
         insert into too_many select i from generate_series(1, 100001) i",
    );
    let scenario = |change: &str| {
        format!(
            "scenario: S
steps:
  - sql: Something
    statements: {change}
  - verify: The same
    unchanged: all
"
        )
    };
    // Written, and nothing changed.
    let output = run(&database, &scenario("update many set name = name; update too_many set id = id"), &[]);
    assert_eq!(output.status, "0", "{}", output.text);
    let change = "update many set name = 'other' where id in (5, 70000); delete from many where id > 98990; insert into many select i, 'new' from generate_series(200001, 200030) i; update too_many set id = -id where id = 7";
    let directory = project(&[("scenarios/a.yaml", &scenario(change))]);
    let output = Command::new("/usr/bin/env")
        .args(["bash", "-c", "ulimit -v 600000; exec \"$0\" run"])
        .arg(crate::support::binary())
        .current_dir(directory.path())
        .env("CONNECTION_STRING", database.url())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in [
        "`many` is not as it was at the start: 30 rows came, 10 went, 2 changed",
        "~ 5       other",
        "- 98991   …",
        "22 more rows",
        "what rows had before is kept of tables of at most 1000 rows",
        "changed as well: `too_many`",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let only = scenario("update too_many set id = -id where id = 8");
    let output = run(&database, &only, &[]);
    assert_eq!(output.status, "1", "{}", output.text);
    for words in [
        "`too_many` has other rows than at the start",
        "100001 rows then and now; which of them changed is not known",
    ] {
        assert!(output.text.contains(words), "{words}: {}", output.text);
    }
}

#[test]
fn values_of_all_types_are_kept_as_they_are() {
    let database = Database::create();
    database.execute(
        "create table t (id int primary key, j jsonb, n numeric, f float8, b bytea, c char(4), x xml, p point, a text[], m money);
         insert into t values (1, '{\"a\": 1}', 1.0, 0.1, '\\x00ff', 'a', '<a/>', '(1,2)', '{NULL}', 3), (2, null, null, null, null, null, null, null, null, null)",
    );
    let changes = [
        ("j = '{\"a\": -1}'", "{\"a\": 1} → {\"a\": -1}"),
        ("n = 1.00", "1.0 → 1.00"),
        ("f = 0.10000000000000002", "0.1 → 0.10000000000000002"),
        ("b = '\\x00fe'", "\\x00ff → \\x00fe"),
        ("x = '<a />'", "<a/> → <a />"),
        ("p = '(1,3)'", "(1,2) → (1,3)"),
        ("a = '{\"NULL\"}'", "{NULL} → {\"NULL\"}"),
    ];
    for (change, words) in changes {
        let scenario = format!(
            "scenario: S\nsteps:\n  - sql: change\n    statements: |\n      update t set {change} where id = 1\n  - verify: same\n    unchanged: t\n"
        );
        let output = run(&database, &scenario, &["--dry-run"]);
        assert_eq!(output.status, "1", "{change}: {}", output.text);
        assert!(output.text.contains(words), "{words}: {}", output.text);
    }
}

#[test]
fn partitions_belong_to_their_table_and_rows_may_move() {
    let database = Database::create();
    database.execute(
        "create table m (id int primary key) partition by range (id);
         create table low partition of m for values from (0) to (10);
         create table high partition of m for values from (10) to (100); insert into m values (1), (50)",
    );
    let scenario = |id: i32| {
        format!(
            "scenario: S\nsteps:\n  - sql: move\n    statements: update m set id = {id} where id = 1\n  - verify: same\n    unchanged: all\n"
        )
    };
    let output = run(&database, &scenario(1), &["--dry-run"]);
    assert!(output.status == "0" && output.text.contains("1 fact"), "{}", output.text);
    let output = run(&database, &scenario(51), &["--dry-run"]);
    assert!(output.text.contains("`m` is not as it was at the start: 1 row came, 1 went"), "{}", output.text);
}

#[test]
fn only_what_is_compared_later_is_looked_at() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    database.execute("create table t (id int primary key); insert into t values (1)");
    let scenario = "scenario: S
steps:
  - verify: One
    count: {t: 1}
  - verify: Two
    id: two
    count: {t: 1}
  - verify: Three
    unchanged: t
    since: two
";
    let directory = project(&[("scenarios/a.yaml", scenario)]);
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    let counted = proxy.take();
    let is_repeatable = |sql: &str| sql.contains("repeatable read");
    let counts: Vec<(bool, usize)> =
        counted.transactions.iter().map(|(sql, count)| (is_repeatable(sql), *count)).collect();
    // Behind the second step: the tables, their fingerprints, their rows, and the end.
    assert_eq!(counts, [(false, 2), (false, 2), (true, 4), (true, 2)], "{counted:?}");
}

#[test]
fn a_read_only_role_may_compare() {
    let database = Database::create();
    let role = format!("{}_reader", database.name);
    database.execute(&format!(
        "create table t (id int primary key); create table closed (id int); create role {role} login; grant select on t to {role}; grant connect on database {} to {role}",
        database.name
    ));
    let scenario = |tables: &str| format!("scenario: S\nsteps:\n  - verify: same\n    unchanged: {tables}\n");
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let as_reader = |tables: &str| {
        let directory = project(&[("scenarios/a.yaml", &scenario(tables))]);
        Seedbed::new(directory.path()).run(&["run", "--url", &url])
    };
    let output = as_reader("[t]");
    assert_eq!(output.status, "0", "{}", output.text);
    let output = as_reader("all");
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("permission denied for table closed"), "{}", output.text);
}

#[test]
fn what_others_draw_from_a_sequence_is_not_ours() {
    let database = Database::create();
    database
        .execute("create table t (id int generated by default as identity primary key, name text unique)");
    let scenario =
        "scenario: S\nsteps:\n  - seed: it\n    fixtures: t\n  - verify: again\n    idempotent: t\n";
    let directory = project(&[("fixtures/t.yaml", "- {name: x}\n"), ("scenarios/a.yaml", scenario)]);
    let name = database.name.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let drawing = std::thread::spawn(move || {
        let mut client = Database { name }.client();
        while stopped.try_recv().is_err() {
            client.batch_execute("select nextval('t_id_seq')").unwrap();
        }
    });
    for _ in 0..3 {
        let output =
            Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    stop.send(()).unwrap();
    drawing.join().unwrap();
    let output = Seedbed::new(directory.path())
        .variable("CONNECTION_STRING", &database.url())
        .run(&["run", "--dry-run"]);
    assert_eq!(output.status, "0", "{}", output.text);
}
