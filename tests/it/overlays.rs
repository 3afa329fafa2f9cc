//! Overlays: what fixtures say for one environment, over what they say for all.

use crate::support::{Database, Output, Seedbed, project};

fn seed(database: &Database, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = project(files);
    Seedbed::new(directory.path()).variable("DATABASE_URL", &database.url()).run(arguments)
}

fn database(schema: &str) -> Database {
    let database = Database::create();
    database.execute(schema);
    database
}

/// Seeds for `prod`, which must leave these rows, and again, which must write nothing.
fn check(database: &Database, files: &[(&str, &str)], rows: &str, expected: &[&str]) {
    let first = seed(database, files, &["seed", "--env", "prod"]);
    assert_eq!(first.status, "0", "{}", first.text);
    assert_eq!(database.rows(rows), expected, "{}", first.text);
    let second = seed(database, files, &["seed", "--env", "prod"]);
    assert!(second.text.contains("unchanged"), "{}", second.text);
}

const USERS: &str = "create table users (id int generated always as identity primary key, email text unique not null, name text, plan text default 'none')";
const BASE: &str = "- {email: ann@acme.test, name: Ann, plan: free}\n- {email: bob@acme.test, name: Bob}\n";

#[test]
fn an_overlay_s_columns_win_and_its_other_rows_are_added() {
    let database = database(USERS);
    let files = [
        ("fixtures/users.yaml", BASE),
        (
            "fixtures/prod/users.yaml",
            "- {email: ann@acme.test, plan: paid}\n- {email: zoe@acme.test, name: Zoe}\n",
        ),
    ];
    let rows = "select name, plan from users order by id";
    check(&database, &files, rows, &["Ann|paid", "Bob|none", "Zoe|none"]);
}

#[test]
fn without_an_environment_an_overlay_is_not_there() {
    let database = database(USERS);
    let files = [
        ("fixtures/users.yaml", BASE),
        ("fixtures/prod/users.yaml", "- {email: zoe@acme.test}\n"),
        ("fixtures/prod/plans.yaml", "- {name: gold}\n"),
        ("fixtures/prod/codes.csv", "code\nx\n"),
    ];
    let output = seed(&database, &files, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select count(*) from users"), ["2"]);
    database
        .execute("create table plans (name text primary key); create table codes (code text primary key)");
    let rows = "select (select count(*) from users), (select name from plans), (select code from codes)";
    check(&database, &files, rows, &["3|gold|x"]);
}

#[test]
fn a_row_that_an_overlay_deletes_is_dropped_and_deleted() {
    let database = database(USERS);
    let files = [
        ("fixtures/users.yaml", BASE),
        ("fixtures/prod/users.yaml", "- {email: bob@acme.test, _delete: true}\n"),
    ];
    let output = seed(&database, &files, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    check(&database, &files, "select name from users", &["Ann"]);
    // And the other way round: what is to be deleted everywhere stays where an overlay wants it.
    let files = [
        ("fixtures/users.yaml", "- {email: ann@acme.test, _delete: true}\n"),
        ("fixtures/prod/users.yaml", "- {email: ann@acme.test, name: Anna}\n"),
    ];
    check(&database, &files, "select name from users", &["Ann"]);
}

#[test]
fn a_mode_and_defaults_may_be_replaced() {
    let database = database(USERS);
    let files = [
        (
            "fixtures/users.yaml",
            "defaults: {plan: free, name: nobody}\nrows:\n- {email: a}\n- {email: b, plan: own}\n",
        ),
        ("fixtures/prod/users.yaml", "mode: upsert\ndefaults: {plan: paid}\n"),
    ];
    let output = seed(&database, &files, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    let rows = "select email, plan, name from users order by email";
    assert_eq!(database.rows(rows), ["a|free|nobody", "b|own|nobody"]);
    check(&database, &files, rows, &["a|paid|nobody", "b|own|nobody"]);
}

#[test]
fn references_are_a_key_and_may_be_written_otherwise_over_it() {
    let database = database(
        "create table teams (id serial primary key, name text unique not null); insert into teams (name) values ('x'), ('y');
         create table users (id serial primary key, team_id int not null references teams, name text not null, size int)",
    );
    let files = [
        (
            "fixtures/users.yaml",
            "key: [name, team]\nrows:\n- {name: a, team: x, size: 1}\n- {name: a, team: y, size: 2}\n",
        ),
        ("fixtures/prod/users.yaml", "- {name: a, team_id: {name: y}, size: 3}\n"),
    ];
    let rows = "select t.name, size from users join teams t on t.id = team_id order by 1";
    check(&database, &files, rows, &["x|1", "y|3"]);
}

#[test]
fn exact_deletes_what_neither_of_the_two_names() {
    let database = database(USERS);
    database.execute("insert into users (email) values ('old')");
    let files = [
        ("fixtures/users.yaml", BASE),
        (
            "fixtures/prod/users.yaml",
            "mode: exact\nscope: all\nmax_delete: 100%\nrows: [{email: ann@acme.test, name: Anna}]\n",
        ),
    ];
    check(&database, &files, "select name from users order by 1", &["Anna", "Bob"]);
}

#[test]
fn several_tables_in_one_file_are_laid_over_one_by_one() {
    let database = database(
        "create table a (name text primary key, size int); create table b (name text primary key, size int)",
    );
    let files = [
        ("fixtures/all.yaml", "tables: {a: [{name: x, size: 1}], b: [{name: x, size: 1}]}\n"),
        ("fixtures/prod/all.yaml", "tables: {b: [{name: x, size: 2}, {name: y}]}\n"),
    ];
    check(&database, &files, "select * from a union all select * from b", &["x|1", "x|2", "y|null"]);
    let output = seed(&database, &files, &["unseed", "all", "--env", "prod"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select * from a union all select * from b"), [""; 0]);
}

#[test]
fn an_overlay_of_an_empty_table_s_rows_is_merged_too() {
    let database = database(USERS);
    let files = [
        ("fixtures/users.yaml", "mode: if-empty\nrows:\n- {email: a, name: A}\n- {email: b, name: B}\n"),
        ("fixtures/prod/users.yaml", "- {email: b, _delete: true}\n- {email: a, plan: paid}\n"),
    ];
    let output = seed(&database, &files, &["seed", "--env", "prod"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select email, name, plan from users"), ["a|A|paid"]);
}

#[test]
fn the_variable_names_the_environment_too() {
    let database = database(USERS);
    let directory =
        project(&[("fixtures/users.yaml", BASE), ("fixtures/prod/users.yaml", "- {email: zoe@acme.test}\n")]);
    for (environment, count) in [("", "2"), ("prod", "3")] {
        let output = Seedbed::new(directory.path())
            .variable("DATABASE_URL", &database.url())
            .variable("SEEDBED_ENV", environment)
            .run(&["seed"]);
        assert_eq!(output.status, "0", "{}", output.text);
        assert_eq!(database.rows("select count(*) from users"), [count]);
    }
}
