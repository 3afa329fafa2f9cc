//! Rows, parents and values that look like others and are not: none is taken for the other.

use crate::support::{Database, Output, Seedbed, project};

fn database(schema: &str) -> Database {
    let database = Database::create();
    database.execute(schema);
    database
}

fn run(database: &Database, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = project(files);
    Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(arguments)
}

/// Seeds these fixtures, which must hold.
fn seed(database: &Database, files: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = run(database, files, &[&["seed"], arguments].concat());
    assert_eq!(output.status, "0", "{}", output.text);
    output.text
}

/// Runs the steps of a scenario.
fn steps(database: &Database, steps: &str) -> Output {
    run(database, &[("scenarios/a.yaml", &format!("scenario: A\nsteps:\n{steps}"))], &["run"])
}

fn fails(output: &Output, words: &[&str]) {
    assert_ne!(output.status, "0", "{}", output.text);
    for words in words {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
}

#[test]
fn a_line_with_a_default_is_not_laid_out_like_one_that_gives_the_value() {
    let database = database("create table t (id int primary key, home text, work text)");
    let files = [
        ("fixtures/t.yaml", "key: id\ndefaults: {home: none, work: none}\nfrom: t.ndjson\n"),
        (
            "fixtures/t.ndjson",
            "{\"id\":1,\"home\":\"11\"}\n{\"id\":2,\"work\":\"22\"}\n{\"id\":3,\"work\":\"3\",\"home\":\"4\"}\n",
        ),
    ];
    seed(&database, &files, &[]);
    assert_eq!(database.rows("select * from t order by id"), ["1|11|none", "2|none|22", "3|4|3"]);
}

#[test]
fn a_parent_that_has_null_where_the_reference_leads_is_not_found() {
    let schema = "create table users (id int primary key, name text unique not null, email text unique);
        create table t (owner_email text, title text not null);
        insert into users values (1, 'Ann', null);
        insert into t values (null, 'Handbook');";
    let database = database(schema);
    let head = "refs: {owner: {table: users, columns: {owner_email: email}}}\nkey: [owner, title]\n";
    for row in ["{owner: {name: Ann}, title: Handbook, _delete: true}", "{owner: {name: Ann}, title: Other}"]
    {
        let fixture = format!("{head}rows:\n  - {row}\n");
        run(&database, &[("fixtures/t.yaml", &*fixture)], &["seed"]);
        assert_eq!(database.rows("select * from t"), ["null|Handbook"], "{row}");
    }
    let fixture = format!("{head}mode: upsert\nrows:\n  - {{owner: {{name: Ann}}, title: Handbook}}\n");
    let output = run(&database, &[("fixtures/t.yaml", &*fixture)], &["seed"]);
    fails(&output, &["`users` has no row with name = 'Ann'"]);
    run(&database, &[("fixtures/t.yaml", &*fixture)], &["unseed", "t"]);
    assert_eq!(database.rows("select * from t"), ["null|Handbook"]);
}

#[test]
fn a_parent_is_not_looked_for_by_what_changes_in_it_meanwhile() {
    let schema = "create table departments (code text primary key, name text unique);
        create table employees (name text primary key, department_code text references departments);
        insert into departments values ('A', 'Sales'), ('B', 'Marketing'), ('C', 'Legal');";
    let files = |who: &str| {
        let departments = "mode: upsert\nrows:\n  - {code: A, name: Support}\n  - {code: B, name: Sales}\n";
        [
            ("fixtures/departments.yaml", departments.to_owned()),
            (
                "fixtures/employees.yaml",
                format!("rows:\n  - {{name: Ann, department_code: {{name: {who}}}}}\n"),
            ),
        ]
    };
    for (who, is_meant) in [("Sales", false), ("Legal", true)] {
        let database = database(schema);
        // The second value has to make room before the first can be given.
        database.execute("alter table departments drop constraint departments_name_key");
        let files = files(who);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
        let output = run(&database, &files, &["seed"]);
        match is_meant {
            true => {
                assert_eq!(database.rows("select department_code from employees"), ["C"], "{}", output.text)
            }
            false => {
                fails(&output, &["with name = 'Sales' changes in this very step", "employees.yaml:2:"]);
                assert_eq!(database.rows("select name from departments where code = 'A'"), ["Sales"]);
                let first = run(&database, &files, &["seed", "departments"]);
                assert_eq!(first.status, "0", "{}", first.text);
                assert_eq!(run(&database, &files, &["seed", "employees"]).status, "0");
                assert_eq!(database.rows("select department_code from employees"), ["B"]);
            }
        }
    }
}

#[test]
fn rows_of_one_table_agree_in_one_step_wherever_they_stand() {
    let database = database("create table t (code text primary key, size int)");
    let rows: String = (0..50).map(|number| format!("  - {{code: a{number}, size: 1}}\n")).collect();
    let exact = format!("mode: exact\nscope: all\nrows:\n{rows}");
    let files = [
        ("fixtures/more.yaml", "tables:\n  t:\n    from: more.csv\n"),
        ("fixtures/more.csv", "code,size\nb1,1\nb2,1\n"),
        ("fixtures/t.yaml", &exact),
    ];
    for names in [["more", "t"], ["t", "more"]] {
        for _ in 0..2 {
            let step = format!("  - seed: Both\n    fixtures: [{}]\n", names.join(", "));
            let scenario = format!("scenario: A\nsteps:\n{step}");
            let output = run(&database, &[&files[..], &[("scenarios/a.yaml", &scenario)]].concat(), &["run"]);
            // Rows that are given are not those that are too many.
            let count = database.rows("select count(*) from t");
            match &*output.status {
                "0" => assert_eq!(count, ["52"], "{names:?}: {}", output.text),
                _ => assert_eq!(count, ["0"], "{names:?}: {}", output.text),
            }
        }
        database.execute("truncate t");
    }
    let twice = [
        ("fixtures/a.yaml", "tables:\n  t:\n    mode: upsert\n    from: a.csv\n"),
        ("fixtures/a.csv", "code,size\nx,1\n"),
        ("fixtures/t.yaml", "mode: upsert\nrows: [{code: x, size: 2}]\n"),
    ];
    let output = run(&database, &twice, &["seed"]);
    assert_ne!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select * from t"), [""; 0]);
}

#[test]
fn one_fixture_that_may_cascade_does_not_let_another() {
    let schema = "create table a (id int primary key);
        create table p (id int primary key);
        create table c (p_id int references p on delete cascade);
        insert into a values (1), (2); insert into p values (1); insert into c values (1);";
    let database = database(schema);
    let files = [
        ("fixtures/a.yaml", "mode: exact\nscope: all\ncascade: allow\nmax_delete: 50%\nrows: [{id: 1}]\n"),
        ("fixtures/p.yaml", "rows: [{id: 1, _delete: true}]\n"),
    ];
    let output = run(&database, &files, &["seed"]);
    assert_ne!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select * from c"), ["1"]);
}

#[test]
fn what_a_trigger_makes_of_an_update_is_seen_in_a_file_too() {
    let schema = "create table t (code text primary key, size int);
        create function five() returns trigger language plpgsql as $$ begin new.size := 5; return new; end $$;
        create trigger five before update on t for each row execute function five();
        insert into t values ('a', 1)";
    let database = database(schema);
    let files = [("fixtures/t.yaml", "mode: upsert\nfrom: t.csv\n"), ("fixtures/t.csv", "code,size\na,2\n")];
    let output = run(&database, &files, &["seed"]);
    assert_ne!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["a|1"]);
}

#[test]
fn a_rehearsal_takes_as_many_files_as_a_run() {
    let database =
        database("create table t (code text primary key, size int); insert into t values ('z', 1)");
    let scenario =
        "scenario: A\nsteps:\n  - seed: One\n    fixtures: [one]\n  - seed: Two\n    fixtures: [two]\n";
    let files = [
        ("fixtures/one.yaml", "tables:\n  t:\n    mode: upsert\n    from: one.csv\n"),
        ("fixtures/one.csv", "code,size\na,1\nz,2\n"),
        ("fixtures/two.yaml", "tables:\n  t:\n    mode: upsert\n    from: two.csv\n"),
        ("fixtures/two.csv", "code,size\nb,1\nz,3\n"),
        ("scenarios/a.yaml", scenario),
    ];
    let rehearsed = run(&database, &files, &["run", "--dry-run"]);
    assert_eq!(rehearsed.status, "0", "{}", rehearsed.text);
    assert_eq!(database.rows("select * from t"), ["z|1"]);
    assert_eq!(run(&database, &files, &["run"]).status, "0");
}

#[test]
fn a_key_of_an_index_is_given_where_the_server_would_make_it_up() {
    let database = database(
        "create table t (id int, day date not null default current_date, note text); create unique index t_day on t (id, day)",
    );
    let fixture = |rows: &str| format!("key: {{index: t_day}}\nrows: [{rows}]\n");
    let output = run(&database, &[("fixtures/t.yaml", &*fixture("{id: 1}"))], &["seed"]);
    fails(&output, &["the row gives no `day`, which is part of its key"]);
    seed(&database, &[("fixtures/t.yaml", &*fixture("{id: 1, day: 2026-01-02}"))], &[]);
}

#[test]
fn an_index_of_another_collation_does_not_vouch_for_a_key() {
    let database = database(
        "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table t (name text collate ci not null, size int);
         create unique index on t (name collate \"C\");
         insert into t values ('Ann', 1), ('ann', 1)",
    );
    let fixture = "key: name\nmode: upsert\nrows: [{name: Ann, size: 2}]\n";
    let output = run(&database, &[("fixtures/t.yaml", fixture)], &["seed"]);
    assert_ne!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select size from t"), ["1", "1"]);
}

#[test]
fn the_row_of_a_step_is_the_only_one_that_it_can_be() {
    let schema = "create table people (id int primary key, name text);
        insert into people values (1, 'Frank'), (2, 'Frank'), (3, 'Robert')";
    let database = database(schema);
    let output = steps(
        &database,
        "  - assert: Frank is there
    id: frank
    query: select id, name from people
    columns: partial
    match: contains
    row: {name: Frank}
  - delete: He goes
    from: people
    where: {id: {$ref: frank.id}}
",
    );
    fails(&output, &["`frank` has captured nothing"]);
    let output = steps(
        &database,
        "  - change: Bob becomes Robert
    id: bob
    in: people
    where: {name: Bob}
    set: {name: Robert}
    expect: [changed, unchanged, not_found]
  - delete: He goes
    from: people
    where: {id: {$ref: bob.id}}
",
    );
    fails(&output, &["`bob` has captured nothing"]);
    assert_eq!(database.rows("select count(*) from people"), ["3"]);
}

#[test]
fn rows_that_are_missing_are_added_beside_one_that_differs() {
    let database =
        database("create table t (id int primary key, note text); insert into t values (1, 'old')");
    let step = "  - add: Two
    into: t
    key: id
    rows: [{id: 1, note: new}, {id: 2, note: b}]
    expect: [added, present, differs]
";
    for _ in 0..2 {
        let output = steps(&database, step);
        assert_eq!(output.status, "0", "{}", output.text);
        assert_eq!(database.rows("select * from t order by id"), ["1|old", "2|b"]);
    }
    let output = steps(&database, &step.replace("present, differs", "present"));
    fails(&output, &["`note` is 'old' in the database"]);
}

#[test]
fn null_is_neither_something_in_json_nor_of_a_length() {
    let database = database("");
    let check = |query: &str, condition: &str, holds: bool| {
        let output = steps(
            &database,
            &format!(
                "  - assert: It is\n    query: |\n      select {query} as a\n    row: {{a: {condition}}}\n"
            ),
        );
        assert_eq!(output.status, if holds { "0" } else { "1" }, "{query} {condition}: {}", output.text);
    };
    for kind in ["json", "jsonb"] {
        check(&format!("null::{kind}"), "{$not: null}", false);
        check(&format!("null::{kind}"), "{$one_of: [null, x]}", true);
        check(&format!("'{{\"b\": 1}}'::{kind}"), "{$not: null}", true);
        check(&format!("'{{\"b\": null}}'::{kind}"), "{b: {$not: 1}}", true);
        check(&format!("'{{\"b\": 2}}'::{kind}"), "{b: {$one_of: [1, 2]}}", true);
        check(&format!("'3'::{kind}"), "{$len: {$not: 0}}", false);
    }
    check("null::text", "{$len: {$not: 0}}", false);
    check("'x'::text", "{$len: {$not: 0}}", true);
    check("null::int[]", "{$len: {$any: true}}", false);
    // What a number is near to is decided by its own type.
    check("0.1::float4", "{$gt: 0.1}", false);
    check("0.1::float4", "{$lte: 0.1}", true);
    check("0.2::float4", "{$between: [0.1, 0.2]}", true);
    check("1e30::float4", "{$lt: 1e300}", true);
    check("0::float4", "{$gte: 0}", true);
}

#[test]
fn a_step_depends_on_what_was_kept_of_another_and_on_all_its_cases() {
    let schema = "create table staff (name text primary key, team text default 'temp'); insert into staff values ('Bob', 'old')";
    let database = database(schema);
    let newcomers = "  - add: Newcomers
    each: [{who: Ann}, {who: Bob}]
    into: staff
    key: name
    row: {name: {$ref: who}}
  - delete: Undo
    when: {Newcomers: OUTCOMES}
    from: staff
    where: {team: temp}
    expect: [deleted, not_found]
";
    let output = steps(&database, &newcomers.replace("OUTCOMES", "added"));
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select name from staff order by 1"), ["Ann", "Bob"]);
    let output = steps(&database, &newcomers.replace("OUTCOMES", "[added, present]"));
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select name from staff"), ["Bob"]);
    let output = steps(
        &database,
        "  - add: T
    id: t
    into: staff
    row: {name: Eve, team: old}
    expect: present
finally:
  - delete: Undo
    when: {t: added}
    from: staff
    where: {team: old}
",
    );
    assert_eq!(output.status, "1", "{}", output.text);
    assert_eq!(database.rows("select name from staff"), ["Bob"]);
}

#[test]
fn a_temporary_table_hides_none_from_the_next_step() {
    let database = database("create table t (id int); insert into t values (1)");
    let output = steps(
        &database,
        "  - sql: Scratch
    statements: |
      create temp table t as select * from public.t where false;
      insert into t select 2
  - assert: It is the table
    query: select id from t
    value: 1
",
    );
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_cell_and_a_variable_are_what_they_would_be_in_yaml() {
    let database = database("create table t (who text, boss text, data jsonb)");
    let scenario = "scenario: A
vars: {level: 3, name: x}
steps:
  - add: Staff
    each: |
      | who | boss |
      | Ann | NULL |
      | Bob | null |
      | Eve | 'NULL' |
    into: t
    row: {who: {$ref: who}, boss: {$ref: boss}, data: {level: {$ref: level}, name: {$ref: name}}}
";
    let arguments = ["run", "--var", "level=4", "--var", "name=5"];
    let output = run(&database, &[("scenarios/a.yaml", scenario)], &arguments);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(
        database.rows("select * from t order by 1"),
        [
            "Ann|null|{\"name\": \"5\", \"level\": 4}",
            "Bob|null|{\"name\": \"5\", \"level\": 4}",
            "Eve|NULL|{\"name\": \"5\", \"level\": 4}"
        ]
    );
    // The texts `null` and NULL look alike here.
    assert_eq!(database.rows("select who from t where boss is null order by 1"), ["Ann", "Bob"]);
}

#[test]
fn a_number_that_not_every_server_reads_is_none_in_a_file_either() {
    for (number, line) in [("1_000", "2:3"), ("0x1F", "2:3"), ("1e3", ""), ("-5", "")] {
        let database = database("create table t (id int primary key, size numeric)");
        let csv = format!("id,size\n1,{number}\n");
        let files = [("fixtures/t.yaml", "from: t.csv\n"), ("fixtures/t.csv", &*csv)];
        let output = run(&database, &files, &["seed"]);
        match line {
            "" => assert_eq!(output.status, "0", "{}", output.text),
            _ => fails(&output, &["is a number that not every PostgreSQL reads", &format!("t.csv:{line}")]),
        }
    }
}
