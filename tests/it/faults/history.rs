//! Histories that somebody has worked on, and files that are not what was applied.

use crate::support::{Database, Output, Seedbed, project};

const FILES: &[(&str, &str)] = &[
    ("migrations/V1__one.sql", "create table one ();\n"),
    ("migrations/V2__two.sql", "create table two ();\n"),
];

fn up(database: &Database, files: &[(&str, &str)]) -> Output {
    let output = Seedbed::new(project(files).path()).run(&["up", "--url", &database.url()]);
    assert!(!output.text.contains("panicked"), "{}", output.text);
    output
}

/// What is in the database, the history included.
fn content(database: &Database) -> (String, Vec<String>) {
    let history = database.rows("select h::text from refinery_schema_history h order by 1");
    (database.inventory(), history)
}

#[test]
fn a_damaged_history_is_named_and_nothing_is_written() {
    for (damage, status, words) in [
        (
            "update refinery_schema_history set name = null where version = 1",
            "4",
            "version 1 in `refinery_schema_history` is damaged",
        ),
        (
            "update refinery_schema_history set checksum = 'x' where version = 2",
            "4",
            "version 2 in `refinery_schema_history` is damaged",
        ),
        (
            "update refinery_schema_history set checksum = null where version = 2",
            "4",
            "version 2 in `refinery_schema_history` is damaged",
        ),
        (
            "update refinery_schema_history set checksum = '42' where version = 1",
            "4",
            "migration 1 is not what was applied",
        ),
        (
            "update refinery_schema_history set name = 'other' where version = 1",
            "4",
            "it was applied as `other`",
        ),
        (
            "insert into refinery_schema_history values (7, 'later', '2026-01-01T00:00:00Z', '1')",
            "0",
            "the database is ahead of the files: 7 applied here",
        ),
        (
            "delete from refinery_schema_history where version = 1",
            "4",
            "migration 1 is older than what is applied",
        ),
        // Applied again, it finds its own table there.
        (
            "delete from refinery_schema_history where version = 2",
            "4",
            "relation \"two\" already exists (42P07)",
        ),
        ("truncate refinery_schema_history", "4", "relation \"one\" already exists (42P07)"),
        (
            "alter table refinery_schema_history drop column checksum",
            "3",
            "column \"checksum\" does not exist (42703)",
        ),
    ] {
        let database = Database::create();
        assert_eq!(up(&database, FILES).status, "0");
        database.execute(damage);
        let before = content(&database);
        let output = up(&database, FILES);
        assert_eq!(output.status, status, "{damage}: {}", output.text);
        assert!(output.text.contains(words), "{damage}: no `{words}` in {}", output.text);
        assert_eq!(content(&database), before, "{damage}");
    }
}

#[test]
fn a_history_that_is_odd_but_right_is_believed() {
    for change in [
        "update refinery_schema_history set applied_on = '2999-12-31T23:59:59Z'",
        "update refinery_schema_history set applied_on = 'yesterday'",
        "alter table refinery_schema_history rename to kept; create view refinery_schema_history as select * from kept",
        "alter table refinery_schema_history add column note text",
        "create schema other; alter table refinery_schema_history set schema other; create schema dummy;
         do $$ begin execute format('alter database %I set search_path = other, public', current_database()); end $$",
    ] {
        let database = Database::create();
        assert_eq!(up(&database, FILES).status, "0");
        database.execute(change);
        let before = content(&database);
        let output = up(&database, FILES);
        assert_eq!(output.status, "0", "{change}: {}", output.text);
        assert!(output.text.contains("2 applied before, nothing pending"), "{change}: {}", output.text);
        assert_eq!(content(&database), before, "{change}");
    }
}

#[test]
fn a_search_path_that_hides_the_history_applies_nothing_twice() {
    let database = Database::create();
    assert_eq!(up(&database, FILES).status, "0");
    database.execute(&format!(
        "create schema other; alter database {} set search_path = other, public",
        database.name
    ));
    let output = up(&database, FILES);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("nothing pending"), "{}", output.text);
    assert_eq!(
        database.rows("select count(*) from pg_class where relname = 'refinery_schema_history'"),
        ["1"]
    );
}

#[test]
fn files_that_do_not_fit_are_refused_before_any_sql() {
    let long = format!("migrations/V3__{}.sql", "x".repeat(240));
    for (files, status, words) in [
        (
            vec![("migrations/V1__one.sql", "create table one (id int);\n"), FILES[1]],
            "4",
            "its text has changed",
        ),
        (vec![("migrations/V1__uno.sql", FILES[0].1), FILES[1]], "4", "it was applied as `one`"),
        (vec![FILES[1]], "4", "migration 1 `one` was applied"),
        (vec![("migrations/V1__one.sql", "create table one ();\r\n"), FILES[1]], "0", "nothing pending"),
        (vec![FILES[0], FILES[1], ("migrations/V2__again.sql", "select 1;")], "2", "V2"),
        (vec![FILES[0], FILES[1], ("migrations/v3__lower.sql", "select 1;")], "2", "v3__lower.sql"),
        (vec![FILES[0], FILES[1], ("migrations/V3__commit.sql", "commit;")], "2", "V3__commit.sql"),
        (vec![FILES[0], FILES[1], (&*long, "select 1;")], "0", "✓"),
    ] {
        let database = Database::create();
        assert_eq!(up(&database, FILES).status, "0");
        let before = content(&database);
        let output = up(&database, &files);
        assert_eq!(output.status, status, "{words}: {}", output.text);
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
        if status != "0" {
            assert_eq!(content(&database), before, "{words}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_file_less() {
    let database = Database::create();
    let directory = project(&FILES[..1]);
    std::os::unix::fs::symlink("nowhere", directory.path().join("migrations/V2__gone.sql")).unwrap();
    std::fs::write(directory.path().join("migrations/V3__bytes.sql"), b"select '\xff';").unwrap();
    let output = Seedbed::new(directory.path()).run(&["up", "--url", &database.url()]);
    assert_eq!(output.status, "2", "{}", output.text);
    for words in ["V2__gone.sql", "V3__bytes.sql"] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert_eq!(database.inventory(), "  no tables\n");
}

#[test]
fn a_byte_order_mark_and_an_empty_file_do_no_harm() {
    let database = Database::create();
    let files =
        [("migrations/V1__mark.sql", "\u{feff}create table one ();\n"), ("migrations/V2__empty.sql", "")];
    let output = up(&database, &files);
    let applied = database.rows("select count(*) from pg_class where relname = 'one'") == ["1"];
    // Either it is understood, or it is refused by name before anything is done.
    match output.status.as_str() {
        "0" => assert!(applied, "{}", output.text),
        "2" => assert!(!applied && output.text.contains("V1__mark.sql"), "{}", output.text),
        status => panic!("{status}: {}", output.text),
    }
}
