//! Instructions: what a row asks for instead of saying it is written once, and is the same the next time.

use std::path::Path;

use crate::support::{Database, Output, Seedbed, project};

/// Runs a command in a directory, at a certain time.
fn run(directory: &Path, database: &Database, arguments: &[&str]) -> Output {
    Seedbed::new(directory)
        .variable("DATABASE_URL", &database.url())
        .variable("ADMIN_HASH", "canary-of-the-admin")
        .variable("SEEDBED_NOW", "2026-01-31T12:00:00Z")
        .run(arguments)
}

fn database(schema: &str) -> Database {
    let database = Database::create();
    database.execute(schema);
    database
}

/// Seeds `t`, which must leave these rows, and again, which must write nothing and move no sequence.
fn check(schema: &str, fixture: &str, rows: &str, expected: &[&str]) {
    let database = database(schema);
    let directory = project(&[
        ("fixtures/t.yaml", fixture),
        ("fixtures/texts/hello.txt", "héllo\n"),
        ("fixtures/data.json", "{\"a\": [1, 2]}\n"),
    ]);
    std::fs::write(directory.path().join("fixtures/logo.png"), [0x89, b'P', 0, 0xff]).unwrap();
    if fixture.contains("from:") {
        std::fs::write(directory.path().join("fixtures/data.csv"), "id,size\n1,5\n2,6\n").unwrap();
    }
    let first = run(directory.path(), &database, &["seed"]);
    assert_eq!(first.status, "0", "{}", first.text);
    assert_eq!(database.rows(rows), expected);
    let state =
        "select sum(hashtext(xmin::text || ctid::text)), (select sum(last_value) from pg_sequences) from t";
    let before = database.rows(state);
    let second = run(directory.path(), &database, &["seed"]);
    assert_eq!(second.status, "0", "{}", second.text);
    assert!(second.text.contains("unchanged") && !second.text.contains("kept"), "{}", second.text);
    assert_eq!(database.rows(state), before);
}

#[test]
fn now_is_the_run_s_time_and_an_interval_as_the_column_s_type() {
    check(
        "create table t (id int primary key, a timestamptz, b timestamp(0), c date, d time, e text, f timestamptz not null)",
        "mode: upsert
defaults: {f: {$now: null}}
rows:
- {id: 1, a: {$now: 0}, b: {$now: -3d}, c: {$now: +1 month 2 hours}, d: {$now: 90 min}, e: {$now: -1 year}}
- {id: 2, a: null, b: 2026-01-01, c: {$now: +14d}}
",
        "select a, b, c, d, e, f from t order by id",
        &[
            "2026-01-31 12:00:00+00|2026-01-28 12:00:00|2026-02-28|13:30:00|2025-01-31 12:00:00+00|2026-01-31 12:00:00+00",
            "null|2026-01-01 00:00:00|2026-02-14|null|null|2026-01-31 12:00:00+00",
        ],
    );
}

#[test]
fn a_pinned_time_makes_the_same_rows_and_the_option_comes_before_the_variable() {
    let database = database("create table t (id int primary key, at timestamptz)");
    let directory = project(&[("fixtures/t.yaml", "- {id: 1, at: {$now: -1d}}\n")]);
    let output = run(directory.path(), &database, &["seed", "--now", "2020-03-01T00:00:00Z"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select at from t"), ["2020-02-29 00:00:00+00"]);
}

#[test]
fn what_is_of_the_moment_stays_as_it_was_written_unless_it_is_refreshed() {
    let database = database(
        "create table t (id int primary key, at timestamptz, hash text, size int);
         insert into t values (1, '2000-01-01', 'old', 1)",
    );
    let directory = |refresh: &str| {
        let fixture = format!(
            "mode: upsert\n{refresh}rows:\n- {{id: 1, at: {{$now: 0}}, hash: {{$env: ADMIN_HASH}}, size: 1}}\n"
        );
        project(&[("fixtures/t.yaml", &fixture)])
    };
    let output = run(directory("").path(), &database, &["seed"]);
    assert!(output.text.contains("unchanged") && !output.text.contains("kept"), "{}", output.text);
    assert_eq!(database.rows("select at, hash from t"), ["2000-01-01 00:00:00+00|old"]);
    let directory = directory("refresh: [hash, at]\n");
    let output = run(directory.path(), &database, &["seed"]);
    assert!(output.text.contains("updated"), "{}", output.text);
    assert!(!output.text.contains("canary"), "{}", output.text);
    assert_eq!(database.rows("select at, hash from t"), ["2026-01-31 12:00:00+00|canary-of-the-admin"]);
    let output = run(directory.path(), &database, &["seed"]);
    assert!(output.text.contains("unchanged"), "{}", output.text);
}

#[test]
fn expressions_are_asked_for_new_rows_alone() {
    check(
        "create sequence numbers;
         create table t (name text primary key, number int not null, twice int, at timestamptz)",
        "mode: upsert
rows:
- {name: a, number: {$sql: \"nextval('numbers')\"}, at: {$sql: 'now() -- a comment'}}
- {name: b, number: {$sql: \"nextval('numbers')\"}, at: {$sql: now()}}
- {name: c, number: 7, twice: {$sql: 'select count(*) * 2 from pg_class where relname = ''t'''}}
",
        "select name, number, twice, at is null from t order by name",
        &["a|1|null|f", "b|2|null|f", "c|7|2|t"],
    );
}

#[test]
fn rows_refer_to_what_an_expression_gives() {
    let database = database(
        "create table parents (id uuid primary key, name text unique not null);
         create table t (id int primary key, parent_id uuid not null references parents)",
    );
    let directory = project(&[
        ("fixtures/t.yaml", "- {id: 1, parent: p}\n"),
        ("fixtures/parents.yaml", "- {id: {$sql: gen_random_uuid()}, name: p}\n"),
    ]);
    let output = run(directory.path(), &database, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    let joined = "select p.name from t join parents p on p.id = t.parent_id";
    assert_eq!(database.rows(joined), ["p"]);
    let output = run(directory.path(), &database, &["seed"]);
    assert!(output.text.contains("unchanged"), "{}", output.text);
}

#[test]
fn files_and_bytes_are_what_they_hold() {
    check(
        "create table t (id int primary key, logo bytea, hello text, data jsonb, bytes bytea, words varchar(5))",
        "mode: upsert
rows:
- {id: 1, logo: {$file: logo.png}, hello: {$file: texts/hello.txt}, data: {$file: ./data.json}}
- {id: 2, bytes: {$base64: AAH/}, words: {$base64: aGVsbG8}}
",
        "select logo, hello, data, bytes, words from t order by id",
        &["\\x895000ff|héllo\n|{\"a\": [1, 2]}|null|null", "null|null|null|\\x0001ff|hello"],
    );
}

#[test]
fn a_label_is_one_uuid_as_a_key_and_as_a_reference() {
    check(
        "create table users (id uuid primary key, name text);
         create table t (id uuid primary key, user_id uuid references users, label text, size int);
         insert into users values ('bfd32d53-3a63-5a94-b807-d10ac2b3bca4', 'ann')",
        "mode: upsert
rows:
- {id: {$uuid: one}, user_id: {$uuid: ann}, label: {$uuid: one}, size: 1}
- {id: {$uuid: two}, user: {$uuid: ann}, label: x, size: 2}
",
        "select t.size, u.name, t.label = t.id::text from t join users u on u.id = t.user_id order by 1",
        &["1|ann|t", "2|ann|f"],
    );
}

#[test]
fn a_default_of_the_column_stands_against_those_of_the_fixture() {
    check(
        "create table t (id int primary key, size int default 5, note text default 'own')",
        "defaults: {size: 1, note: fixture}
templates: {big: {size: 9}}
rows:
- {id: 1, size: {$default: true}}
- {id: 2, use: big, note: {$default: true}}
",
        "select size, note from t order by id",
        &["5|fixture", "9|own"],
    );
}

#[test]
fn a_variable_may_be_a_key_and_name_a_parent() {
    check(
        "create table roles (id serial primary key, name text unique not null); insert into roles (name) values ('canary-of-the-admin');
         create table t (name text primary key, role_id int references roles, size int)",
        "mode: upsert
rows:
- {name: {$env: ADMIN_HASH}, role: {$env: ADMIN_HASH}, size: 1}
- {name: other, role: {name: {$env: ADMIN_HASH}}, size: 1}
",
        "select t.name, r.name, size from t join roles r on r.id = t.role_id order by 1 desc",
        &["other|canary-of-the-admin|1", "canary-of-the-admin|canary-of-the-admin|1"],
    );
}

#[test]
fn steps_write_and_find_with_instructions_too() {
    let database = database(
        "create table t (id uuid primary key, at date, hash text); create table s (name text, at date)",
    );
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Steps
steps:
  - seed: Rows of its own
    tables: {t: [{id: {$uuid: one}, at: {$now: 0}, hash: {$env: ADMIN_HASH}}]}
  - add: A row
    into: s
    key: name
    row: {name: {$env: ADMIN_HASH}, at: {$now: -1d}}
  - verify: They are there
    exists: {t: {id: {$uuid: one}, hash: {$env: ADMIN_HASH}}}
  - delete: One goes
    from: t
    where: {id: {$uuid: one}}
",
    )]);
    for _ in 0..2 {
        let output = run(directory.path(), &database, &["run"]);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    assert_eq!(database.rows("select name, at from s"), ["canary-of-the-admin|2026-01-30"]);
    assert_eq!(database.rows("select * from t"), [""; 0]);
}

/// What is refused, whatever for, shows nothing of a variable's value: not in words, JSON or the log.
#[test]
fn a_secret_is_in_nothing_that_is_said() {
    let long = format!("canary{}", "-canary".repeat(20));
    let schema = "create table roles (id serial primary key, name text unique not null);
         create table t (id int primary key, name text check (name = 'x'), number int, amount numeric(4,1), day date, mood char(3), items int[], x xml, u text unique, role_id int references roles);
         insert into t (id, u) values (0, 'canary-3'), (9, $$canary's$$); insert into roles (name) values ('one'), ('two')";
    for (cell, value) in [
        ("name: {$env: S}", "canary-1"),
        ("name: {$env: S}", long.as_str()),
        ("name: {$env: S}", "canary-line\ncanary-line"),
        ("number: {$env: S}", "canary-1"),
        ("number: {$env: S}", "canary \"é\" 'x'"),
        ("amount: {$env: S}", "1.23456789"),
        ("day: {$env: S}", "canary-1"),
        ("mood: {$env: S}", "canary-1"),
        ("items: {$env: S}", "{1,canary,2}"),
        ("x: {$env: S}", "<canary"),
        ("u: {$env: S}", "canary-3"),
        ("u: {$env: S}", "canary's"),
        ("role: {$env: S}", "canary-1"),
        ("name: y, u: {$env: S}", "canary-1"),
    ] {
        let database = database(schema);
        let fixture = format!("key: id\nrows:\n- {{id: 1, {cell}}}\n");
        let directory = project(&[("fixtures/t.yaml", fixture.as_str())]);
        for arguments in
            [&["seed"][..], &["seed", "--json"], &["seed", "--log", "json"], &["seed", "--verbose"]]
        {
            let output = Seedbed::new(directory.path())
                .variable("DATABASE_URL", &database.url())
                .variable("S", value)
                .run(arguments);
            assert_ne!(output.status, "0", "{cell}: {}", output.text);
            let shown = ["canary", "1.23456"].into_iter().find(|word| output.text.contains(word));
            assert_eq!(shown, None, "{cell} {value}: {}", output.text);
        }
    }
}

#[test]
fn rows_of_a_file_and_many_rows_have_defaults_of_the_moment_too() {
    let many: String = (0..2_500).map(|number| format!("- {{id: {number}, size: 1}}\n")).collect();
    let many =
        format!("mode: upsert\ndefaults: {{at: {{$now: -1d}}, hash: {{$env: ADMIN_HASH}}}}\nrows:\n{many}");
    let schema = "create table t (id int primary key, size int, at date not null, token uuid, hash text)";
    let rows = "select count(*), min(at), max(at), max(hash) from t";
    check(schema, &many, rows, &["2500|2026-01-30|2026-01-30|canary-of-the-admin"]);
    let file = "mode: upsert\nfrom: data.csv\ndefaults: {at: {$now: -1d}, token: {$sql: gen_random_uuid()}, hash: {$default: true}}\n";
    let rows = "select id, size, at, token is null, hash from t order by id";
    check(schema, file, rows, &["1|5|2026-01-30|f|null", "2|6|2026-01-30|f|null"]);
}

#[test]
fn what_stands_in_a_file_of_rows_asks_for_nothing() {
    let database = database("create table t (id int primary key, j jsonb)");
    let directory = project(&[(
        "fixtures/t.ndjson",
        "{\"id\": 1, \"j\": {\"$env\": \"ADMIN_HASH\"}}\n{\"id\": 2, \"j\": {\"a\": {\"$sql\": \"now()\"}}}\n",
    )]);
    let output = run(directory.path(), &database, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    let expected = ["{\"$env\": \"ADMIN_HASH\"}", "{\"a\": {\"$sql\": \"now()\"}}"];
    assert_eq!(database.rows("select j from t order by id"), expected);
}

#[test]
fn a_plan_asks_for_no_expression_and_shows_no_secret() {
    let database = database(
        "create sequence numbers; create table t (id int primary key, hash text, number int, at date);
         insert into t values (1, 'canary-old', 1, '2000-01-01')",
    );
    let directory = project(&[(
        "fixtures/t.yaml",
        "mode: upsert
refresh: [hash, at]
rows:
- {id: 1, hash: {$env: ADMIN_HASH}, number: {$sql: \"nextval('numbers')\"}, at: {$now: 0}}
- {id: 2, hash: {$env: ADMIN_HASH}, number: {$sql: \"nextval('numbers')\"}, at: {$now: -3d}}
",
    )]);
    for arguments in [&["seed", "--plan"][..], &["seed", "--plan", "--json"]] {
        let output = run(directory.path(), &database, arguments);
        assert_eq!(output.status, "0", "{}", output.text);
        for shown in ["***", "nextval('numbers')", "$now: -3 days", "2000-01-01", "2026-01-31"] {
            assert!(output.text.contains(shown), "{shown}: {}", output.text);
        }
        assert!(!output.text.contains("canary"), "{}", output.text);
    }
    assert_eq!(database.rows("select is_called from numbers"), ["f"]);
}

#[test]
fn an_unseed_needs_no_expression() {
    let database = database("create sequence numbers; create table t (name text primary key, number int)");
    let directory = project(&[("fixtures/t.yaml", "- {name: a, number: {$sql: \"nextval('numbers')\"}}\n")]);
    for command in ["seed", "unseed"] {
        let output = run(directory.path(), &database, &[command, "t"]);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    assert_eq!(database.rows("select count(*), (select last_value from numbers) from t"), ["0|1"]);
}
