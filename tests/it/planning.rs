//! What `plan` and `seed --plan` say of rows: it is what is done then, and saying it writes nothing.

use serde_json::Value;

use crate::support::{Database, Output, Seedbed, project};

const SCHEMA: &str = "
    create table groups (id int generated always as identity primary key, name text not null unique);
    create table t (id serial primary key, name text not null unique, size numeric(6,2), note text,
      group_id int references groups(id) on delete cascade);
    insert into groups (name) values ('old');
    insert into t (name, size, note, group_id) values ('a', 1, 'x', 1), ('b', 2, 'y', 1), ('z', 9, 's', null);";

/// All that would show a write: versions of rows, sequences, and what the server has counted.
const STATE: &str = "
    select (select string_agg(xmin::text || ctid::text, ',') from t), (select string_agg(xmin::text, ',') from groups),
      (select string_agg(coalesce(last_value::text, '-'), ',' order by sequencename) from pg_sequences)";

fn run(database: &Database, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = project(files);
    Seedbed::new(directory.path()).variable("DATABASE_URL", &database.url()).run(arguments)
}

/// The plan of seeding, which is then done and must have done that.
fn planned(database: &Database, files: &[(&str, &str)], arguments: &[&'static str]) -> Value {
    let before = database.rows(STATE);
    let with = |more: &'static str| arguments.iter().copied().chain(more.split(' ')).collect::<Vec<_>>();
    let output = run(database, files, &with("--plan --json"));
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows(STATE), before, "the plan has written");
    let plan: Value = serde_json::from_str(&output.text).unwrap_or_else(|_| panic!("{}", output.text));
    let output = run(database, files, &with("--json"));
    assert_eq!(output.status, "0", "{}", output.text);
    let report: Value = serde_json::from_str(&output.text).unwrap();
    let wrote = report["scenarios"][0]["steps"][0]["wrote"].as_array().cloned().unwrap_or_default();
    for table in plan["tables"].as_array().unwrap() {
        let done = wrote.iter().find(|wrote| wrote["table"] == table["table"]);
        for (planned, kind) in [("inserted", "inserted"), ("updated", "updated"), ("deleted", "deleted")] {
            let done = done.map_or(0, |done| done[kind].as_u64().unwrap());
            assert_eq!(table[planned].as_u64().unwrap(), done, "{planned} of {table}: {wrote:?}");
        }
    }
    let again = run(database, files, &with("--plan"));
    assert!(!again.text.contains(['+', '~']), "{}", again.text);
    plan["tables"].clone()
}

#[test]
fn a_plan_is_what_is_done_then() {
    let database = Database::create();
    database.execute(SCHEMA);
    let files = [
        ("fixtures/groups.yaml", "- {name: old}\n- {name: new}\n"),
        (
            "fixtures/t.yaml",
            "mode: exact\nscope: {note: s}\nmax_delete: 9\nrows:\n- {name: a, size: 1.00, note: s, group: new}\n- {name: c, note: s, group: {name: new}}\n- {name: b, note: s, _delete: true}\n",
        ),
    ];
    let tables = planned(&database, &files, &["seed", "t"]);
    let t = tables.as_array().unwrap().iter().find(|table| table["table"] == "t").unwrap();
    let rows: Vec<String> = t["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["kind"], row["values"], row["cells"]))
        .collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows[1].contains("insert") && rows[1].contains("\"{name: new}\""), "{rows:?}");
    let update = rows.iter().find(|row| row.contains("update")).unwrap();
    assert!(
        update.contains("\"note\":{\"new\":\"s\",\"old\":\"x\"}")
            && !update.contains("size")
            && update.contains("{name: new}"),
        "{rows:?}"
    );
    assert!(rows.iter().any(|row| row.contains("delete") && row.contains("\"z\"")), "{rows:?}");
    planned(&database, &files, &["unseed", "t"]);
}

#[test]
fn a_plan_of_files_is_what_is_done_then() {
    let database = Database::create();
    database.execute(SCHEMA);
    let files = [
        ("fixtures/groups.csv", "name\nnew\n"),
        ("fixtures/t.yaml", "mode: upsert\nfrom: t.ndjson\n"),
        (
            "fixtures/t.ndjson",
            "{\"name\": \"a\", \"size\": 2}\n{\"name\": \"n\", \"group\": \"new\"}\n{\"name\": \"b\", \"size\": 2.0}\n",
        ),
    ];
    let tables = planned(&database, &files, &["seed"]);
    assert_eq!(tables[1]["rows"].as_array().unwrap().len(), 2, "{tables}");
}

#[test]
fn a_plan_of_a_scenario_counts_on_its_earlier_steps() {
    let database = Database::create();
    database.execute(SCHEMA);
    let files = [
        ("fixtures/groups.yaml", "- {name: new}\n"),
        ("fixtures/t.yaml", "mode: if-empty\nrows:\n- {name: a}\n"),
        (
            "scenarios/s.yaml",
            "scenario: S\nsteps:\n- seed: Groups\n  fixtures: [groups]\n- seed: Both\n  fixtures: [t, groups]\n- add: One\n  into: t\n  key: name\n  row: {name: q, size: 1.5, group: new}\n- assert: It\n  query: select 1\n  value: 1\n",
        ),
    ];
    let before = database.rows(STATE);
    let output = run(&database, &files, &["plan"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows(STATE), before);
    for words in
        ["groups  +1", "+ name: new", "skipped: it has rows", "+ name: q, size: 1.5, group_id: {name: new}"]
    {
        let found = output.text.replace(
            "group_id: {name: new}, name: q, size: 1.5",
            "name: q, size: 1.5, group_id: {name: new}",
        );
        assert!(found.contains(words), "`{words}` is not in {}", output.text);
    }
}

#[test]
fn a_plan_says_what_is_wrong_at_its_place() {
    let database = Database::create();
    database.execute(SCHEMA);
    let files =
        [("fixtures/t.yaml", "- {name: a, group: od}\n- {name: q, group: od}\n- {name: r, size: 1.005}\n")];
    let output = run(&database, &files, &["seed", "--plan"]);
    assert_eq!(output.status, "1", "{}", output.text);
    for words in [
        "t.yaml:2:20",
        "`groups` has no row with name = 'od'",
        "did you mean `old`?",
        "t.yaml:3:19",
        "not exactly",
    ] {
        assert!(output.text.contains(words), "`{words}` is not in {}", output.text);
    }
}

#[test]
fn a_plan_draws_from_no_sequence_and_what_stands_in_is_small() {
    let database = Database::create();
    database.execute(
        "create sequence ids; create sequence codes;
         create table groups (id smallserial primary key, name text not null unique);
         create table t (id int primary key default nextval('ids'::text), name text not null unique,
           code varchar(4) not null unique default 'c' || nextval('codes'), group_id smallint references groups,
           above_id int references t, above_code varchar(4) references t (code));",
    );
    let files = [
        ("fixtures/groups.yaml", "- {name: x}\n- {name: y}\n"),
        (
            "fixtures/t.yaml",
            "- {name: a, group: y}\n- {name: b, group: x, above_id: {name: a}, above_code: {name: a}}\n",
        ),
    ];
    planned(&database, &files, &["seed"]);
    let rows = "select t.name, g.name, a.name, b.name from t join groups g on g.id = t.group_id
      left join t a on a.id = t.above_id left join t b on b.code = t.above_code order by 1";
    assert_eq!(database.rows(rows), ["a|y|null|null", "b|x|a|a"]);
}
