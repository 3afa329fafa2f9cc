//! Assertions too large to write down, and those whose answer says nothing for certain at first sight.

use crate::support::{Database, Seedbed, project};

#[test]
fn cells_are_not_counted_by_the_protocol() {
    let database = Database::create();
    let columns: Vec<String> = (1..=80).map(|at| format!("i + {at} as c{at}")).collect();
    let row = |i: usize| {
        let cells: Vec<String> = (1..=80).map(|at| format!("c{at}: {}", i + at)).collect();
        format!("      - {{{}}}\n", cells.join(", "))
    };
    let rows: String = (1..=1000).rev().map(row).collect();
    let scenario = format!(
        "scenario: Large\nsteps:\n  - assert: Eighty thousand cells\n    query: select {} from generate_series(1, 1000) as i\n    rows:\n{rows}",
        columns.join(", ")
    );
    let directory = project(&[("scenarios/a.yaml", &scenario)]);
    let output = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("1000 rows"), "{}", output.text);
}

/// Runs assertions, each a query, what stands beside it, and the words its line or error must hold, and
/// says how many of them held.
fn assert_all(assertions: &[(&str, &str, &str)]) {
    let database = Database::create();
    database.execute(
        "create extension citext; create domain short as varchar(3);
         create table t (id int, name text, word citext, data jsonb, ok bool, at date, mark char(4), amount numeric);
         insert into t values (1, 'Alice', 'Hello', '\"x\"', true, '2024-02-29', 'ab', 1.50), (2, '1', 'null', 'null', null, null, null, null)",
    );
    for (query, rest, words) in assertions {
        let scenario = format!("scenario: S\nsteps:\n  - assert: it\n    query: \"{query}\"\n    {rest}\n");
        let directory = project(&[("scenarios/a.yaml", &scenario)]);
        let output =
            Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
        let expected = if *words == "held" { "0" } else { "1" };
        assert!(output.text.contains(words), "{scenario}\n{}", output.text);
        assert_eq!(output.status, expected, "{scenario}\n{}", output.text);
    }
}

#[test]
fn what_is_not_certain_at_first_sight_is_judged_as_ever() {
    assert_all(&[
        // A parameter of type json is what YAML says, whatever its text could be read as.
        ("select :p::jsonb = '\\\"1\\\"'::jsonb as same", "with: {p: '1'}\n    row: {same: true}", "held"),
        ("select :p::jsonb = '1'::jsonb as same", "with: {p: 1}\n    row: {same: true}", "held"),
        (
            "select :p::jsonb = '\\\"hello\\\"'::jsonb as same",
            "with: {p: hello}\n    row: {same: true}",
            "held",
        ),
        ("select name from t where data = :p", "with: {p: x}\n    row: {name: Alice}", "held"),
        ("select name from t where id = any(:p)", "with: {p: [1]}\n    row: {name: Alice}", "held"),
        ("select name from t where :p is null and id = 1", "with: {p: null}\n    row: {name: Alice}", "held"),
        ("select :p as given", "with: {p: '1'}\n    value: 1", "held"),
        // A JSON null is not NULL.
        ("select data from t where id = 2", "value: null", "differs"),
        ("select data from t where id = 1", "value: x", "held"),
        ("select name, id as name from t", "rows: [{name: Alice}]", "two columns `name`"),
        ("select name, id from t", "rows: [{name: Alice}]", "also returns `id`"),
        ("select name as other from t", "rows: [{name: Alice}]", "no column `name`"),
        ("select name, id from t where id = 1", "value: Alice", "2 columns"),
        ("select ok from t where id = 1", "value: true", "held"),
        ("select ok from t where id = 1", "value: yes", "held"),
        ("select ok from t where id = 1", "value: false", "differs"),
        ("select ok from t where id = 2", "value: null", "held"),
        ("select at from t where id = 1", "value: 2024-02-29", "held"),
        ("select at from t where id = 1", "value: 29 Feb 2024", "held"),
        ("select at from t where id = 1", "value: 2024-02-30", "out of range"),
        ("select date '0044-03-15 BC' as at", "value: 0044-03-15 BC", "held"),
        ("select date 'infinity' as at", "value: infinity", "held"),
        ("select word from t where id = 1", "value: Hello", "held"),
        ("select word from t where id = 1", "value: hello", "differs"),
        ("select mark from t where id = 1", "value: ab", "held"),
        ("select amount from t where id = 1", "value: 1.5", "held"),
        ("select 'abc'::short as s", "value: abc", "held"),
        ("select id from t", "rows: [{id: 1}, {id: 2}]", "held"),
        ("select id from t where id = 1", "value: 01", "held"),
        ("select id from t where id = 1", "value: one", "invalid input syntax"),
        ("select name from t where id = 2", "value: 1", "held"),
        ("select id from t", "match: contained\n    rows: [{id: 1}, {id: 2}, {id: 3}]", "held"),
        (
            "select id from t",
            "match: contained\n    rows: [{id: 1}, {id: 2}, {id: x}]",
            "invalid input syntax",
        ),
        (
            "select name from t where id = 1",
            "match: contained\n    rows: [{name: Alice}, {name: Bob}]",
            "held",
        ),
        ("select name from t where false", "match: contained\n    rows: [{nam: Alice}]", "no column `nam`"),
        ("select name from t", "match: contains\n    rows: [{name: Alice}]", "held"),
        ("select name from t where id > 5", "rows: []", "held"),
        ("select name from t", "rows: []", "differs"),
        ("select from t", "count: 2", "held"),
        ("select from t where id = :p", "with: {p: 1}\n    count: 1", "held"),
        ("select from t", "count: 3", "2 rows, not 3"),
        ("select nothing from t", "count: 3", "column \"nothing\" does not exist"),
        ("select 1 / (id - 1) as n from t", "value: 1", "division by zero"),
        ("select nextval(pg_get_serial_sequence('t', 'id')) as n", "value: null", "held"),
        (
            "select id from t where name = :p and id = :q",
            "with: {p: Alice, q: x}\n    value: 1",
            "invalid input syntax",
        ),
    ]);
}
