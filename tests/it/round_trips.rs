//! A run over a slow link is predictable: round trips are counted, and few.

use std::path::Path;

use crate::proxy::{Counted, Proxy};
use crate::support::{Database, Seedbed, project, server};

fn up(proxy: &Proxy, database: &Database) -> Counted {
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(Path::new(env!("CARGO_MANIFEST_DIR"))).run(&["up", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    proxy.take()
}

#[test]
fn steps_take_three_round_trips_and_the_rest_of_a_run_few() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    let sessions =
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    for run in ["first", "second"] {
        let counted = up(&proxy, &database);
        // A session that has not ended yet holds its lock for a moment, and who holds it is asked.
        while !database.rows(sessions).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let migrations = counted.transactions.len() - 8;
        for (sql, count) in &counted.transactions {
            let most = if sql.contains("read only") { 2 } else { 5 };
            assert!(*count <= most, "{run}: {count} round trips in {sql}");
        }
        let most: usize = counted.transactions.iter().map(|(_, count)| count).sum();
        // The socket trusts its owner; a password costs two more.
        let others_most = if run == "first" { 8 } else { 6 };
        assert!(counted.others + 2 <= others_most, "{run}: {} others, {counted:?}", counted.others);
        eprintln!(
            "{run} run: {migrations} migration transactions, {most} round trips in transactions, {} others",
            counted.others
        );
    }
}

#[test]
fn an_assertion_takes_two_round_trips_and_more_to_learn_of_a_type() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    database.execute(
        "create type mood as enum ('sad'); create type size as enum ('s'); create domain short as varchar(3)",
    );
    let steps = [
        ("builtin", "select 1 as a, array['x'] as b where 1 = :p", "with: {p: 2}"),
        ("first", "select 'sad'::mood where false", ""),
        ("again", "select 'sad'::mood where false", ""),
        ("second", "select 's'::size where false", ""),
        ("domain", "select 'x'::short where false", ""),
        ("untyped", "select 1 where :p is null and false", "with: {p: 1}"),
    ];
    let mut scenario = "scenario: Types\nsteps:\n".to_owned();
    for (title, query, with) in steps {
        scenario
            .push_str(&format!("  - assert: {title}\n    query: \"{query}\"\n    {with}\n    rows: []\n"));
    }
    let directory = project(&[("scenarios/a.yaml", &scenario)]);
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    let counted = proxy.take();
    let counts: Vec<usize> = counted.transactions.iter().map(|(_, count)| *count).collect();
    // A parameter that was described in vain begins a second transaction.
    assert_eq!(counts, [2, 6, 2, 4, 2, 2, 2], "{counted:?}");
}

#[test]
fn what_a_step_asks_for_beside_its_kind_costs_little_more() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    database.execute("create table t (id int primary key, n int check (n > 0)); insert into t values (1, 1)");
    let steps = [
        "change: changed\n    in: t\n    where: {id: 1}\n    set: {n: 2}",
        "change: unchanged\n    in: t\n    where: {id: 1}\n    set: {n: 2}",
        "change: refused\n    in: t\n    where: {id: 1}\n    set: {n: 0}\n    expect: {error: {condition: check_violation}}",
        "add: as somebody\n    into: t\n    row: {id: 2}\n    role: postgres",
        "verify: within a time\n    count: {t: 2}\n    timeout: 5s\n    eventually: {within: 5s}",
        "assert: refused query\n    query: select 1 / 0\n    error: {condition: division_by_zero}",
        "sql: two\n    statements: update t set n = 3; delete from t where id = 2",
        "sql: one with a parameter\n    statements: update t set n = :n\n    with: {n: 4}",
    ];
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    let directory = project(&[("scenarios/a.yaml", &format!("scenario: Costs\nsteps:\n{steps}"))]);
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    let counted = proxy.take();
    let counts: Vec<usize> = counted.transactions.iter().map(|(_, count)| *count).collect();
    // What creates the ledger comes first.
    assert_eq!(counts, [1, 3, 2, 2, 3, 2, 2, 4, 6], "{counted:?}");
}
