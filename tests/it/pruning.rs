//! Fixtures that delete: `mode: exact` inside its scope, rows that are named to be deleted, and the guards.

use crate::support::{Database, Output, Seedbed, project};

fn seed(database: &Database, fixture: &str, arguments: &[&str]) -> Output {
    let directory = project(&[("fixtures/t.yaml", fixture)]);
    Seedbed::new(directory.path())
        .variable("DATABASE_URL", &database.url())
        .run(&[&["seed"], arguments].concat())
}

fn database(schema: &str) -> Database {
    let database = Database::create();
    database.execute(schema);
    database
}

/// Seeds, which must end with these words and rows, and once more, which must change nothing.
fn settles(schema: &str, fixture: &str, words: &str, expected: &[&str]) {
    let database = database(schema);
    let first = seed(&database, fixture, &[]);
    assert_eq!(first.status, "0", "{}", first.text);
    assert!(first.text.contains(words), "{}", first.text);
    let rows = "select array_to_string(array(select coalesce(value, 'null') from json_each_text(row_to_json(t))), '|') from t order by 1";
    assert_eq!(database.rows(rows), expected);
    let second = seed(&database, fixture, &[]);
    assert!(second.text.contains("unchanged"), "{}", second.text);
    assert_eq!(database.rows(rows), expected);
}

/// Seeds, which must be refused with these words and change nothing.
fn refused(schema: &str, fixture: &str, arguments: &[&str], status: &str, words: &[&str]) {
    let database = database(schema);
    let before = database.rows("select t::text from t order by 1");
    let output = seed(&database, fixture, arguments);
    assert_eq!(output.status, status, "{}", output.text);
    for word in words {
        assert!(output.text.contains(word), "`{word}` is not in {}", output.text);
    }
    assert_eq!(database.rows("select t::text from t order by 1"), before);
}

const TEN: &str = "create table t (name text primary key, kind text, size int);
    insert into t select 'n' || n, 'own', n from generate_series(0, 9) n; insert into t values ('z', 'other', 1)";
const NINE: &str = "- {name: n0, size: 0}\n- {name: n1, size: 1}\n- {name: n2, size: 2}\n- {name: n3, size: 3}\n- {name: n4, size: 4}\n- {name: n5, size: 5}\n- {name: n6, size: 6}\n- {name: n7, size: 7}\n- {name: n8, size: 88}\n";

fn nine(settings: &str) -> String {
    format!("mode: exact\n{settings}defaults: {{kind: own}}\nrows:\n{NINE}")
}

#[test]
fn what_the_scope_has_and_nobody_names_is_deleted() {
    let rows = [
        "n0|own|0",
        "n1|own|1",
        "n2|own|2",
        "n3|own|3",
        "n4|own|4",
        "n5|own|5",
        "n6|own|6",
        "n7|own|7",
        "n8|own|88",
        "z|other|1",
    ];
    settles(TEN, &nine("scope: {kind: own}\n"), "updated    t ~1 -1", &rows);
    settles(TEN, &nine("scope: all\n"), "updated    t ~1 -2", &rows[..9]);
}

#[test]
fn a_scope_may_be_a_parent_or_several() {
    let schema = "create table roles (id serial primary key, name text unique not null, system boolean not null);
        create table t (role_id int not null references roles, permission text, primary key (role_id, permission));
        insert into roles (name, system) values ('admin', true), ('guard', true), ('custom', false);
        insert into t values (1, 'read'), (1, 'write'), (2, 'read'), (3, 'read')";
    let fixture = "mode: exact\nkey: [role, permission]\nscope: {role: {system: true}}\nrows:\n- {role: admin, permission: read}\n- {role: admin, permission: delete}\n- {role: guard, permission: read}\n";
    settles(schema, fixture, "created    t +1 -1", &["1|delete", "1|read", "2|read", "3|read"]);
    let fixture = "mode: exact\nkey: [role, permission]\nscope: {role: admin}\nrows:\n- {role: admin, permission: read}\n";
    settles(schema, fixture, "updated    t -1", &["1|read", "2|read", "3|read"]);
}

#[test]
fn no_more_rows_go_than_may() {
    let fixture = "mode: exact\nscope: {kind: own}\ndefaults: {kind: own}\nrows:\n- {name: n0}\n";
    refused(
        TEN,
        fixture,
        &[],
        "1",
        &["9 of 10 rows of `t` would be deleted", "`max_delete: 9`", "fixtures/t.yaml:2:1"],
    );
    let allowed = fixture.replace("scope", "max_delete: 90%\nscope");
    settles(TEN, &allowed, "-9", &["n0|own|0", "z|other|1"]);
    let allowed = fixture.replace("scope", "max_delete: 9\nscope");
    settles(TEN, &allowed, "-9", &["n0|own|0", "z|other|1"]);
    refused(TEN, &allowed, &["--max-delete", "5"], "1", &["deletes 9 rows"]);
    refused(
        TEN,
        "mode: exact\nscope: all\nrows: []\n",
        &[],
        "2",
        &["would delete all of its scope", "allow_empty"],
    );
    let empty = "mode: exact\nscope: {kind: other}\nallow_empty: true\nrows: []\n";
    let database = database(TEN);
    assert_eq!(seed(&database, empty, &[]).status, "0");
    assert_eq!(database.rows("select count(*), count(*) filter (where kind = 'other') from t"), ["10|0"]);
}

#[test]
fn what_would_go_with_them_keeps_them() {
    let schema = |action: &str| {
        format!(
            "create table t (id int primary key, name text unique); insert into t values (1, 'a'), (2, 'b');
             create table children (t_id int references t on delete {action}); insert into children values (2), (2)"
        )
    };
    let fixture = "mode: exact\nkey: [name]\nscope: all\nrows:\n- {id: 1, name: a}\n";
    for action in ["cascade", "set null"] {
        let words = ["also changes or deletes others: 2 of children", "cascade: allow"];
        refused(&schema(action), fixture, &[], "1", &words);
    }
    refused(&schema("no action"), fixture, &[], "1", &["violates foreign key constraint"]);
    let allowed = fixture.replace("scope", "cascade: allow\nscope");
    settles(&schema("cascade"), &allowed, "children -2, t -1", &["1|a"]);
    let named = "cascade: allow\nkey: [name]\nrows:\n- {name: b, _delete: true}\n";
    settles(&schema("cascade"), named, "children -2, t -1", &["1|a"]);
    refused(&schema("cascade"), &named.replace("allow", "refuse"), &[], "1", &["2 of children"]);
}

#[test]
fn a_row_outside_of_the_scope_is_refused_unless_it_is_on_its_way_in() {
    let schema = "create table t (name text primary key, kind text); insert into t values ('a', 'own'), ('b', 'other')";
    let fixture =
        "mode: exact\nscope: {kind: own}\nrows:\n- {name: a, kind: own}\n- {name: b, kind: other}\n";
    let words = ["outside of the fixture's scope", "fixtures/t.yaml:5:3"];
    refused(schema, fixture, &[], "1", &words);
    refused(schema, &fixture.replace("name: b", "name: c"), &[], "1", &words);
    settles(schema, &fixture.replace("kind: other", "kind: own"), "updated    t ~1", &["a|own", "b|own"]);
}

#[test]
fn a_row_may_be_named_to_be_deleted() {
    let schema = "create table t (name text primary key, size int); insert into t values ('a', 1), ('b', 2)";
    let fixture = "defaults: {size: 5}\nrows:\n- {name: a, _delete: true}\n- {name: c}\n- {name: gone, _delete: true}\n";
    settles(schema, fixture, "created    t +1 -1", &["b|2", "c|5"]);
    refused(
        schema,
        "key: name\nrows:\n- {size: 1, _delete: true}\n- {name: c}\n",
        &[],
        "2",
        &["this row to delete gives no `name`", "the key of `t` is: name"],
    );
    refused(schema, "- {_delete: true}\n", &[], "2", &["nothing tells which row to delete"]);
    refused(
        schema,
        "mode: upsert\nrows:\n- {name: a, _delete: true}\n- {name: a, size: 2}\n",
        &[],
        "1",
        &["two rows of `t` have the same key"],
    );
}

#[test]
fn a_protected_database_keeps_its_rows() {
    let database = database("create table t (name text primary key); insert into t values ('a')");
    let protect = Seedbed::new(project(&[]).path()).run(&[
        "environment",
        "production",
        "--protect",
        "--url",
        &database.url(),
    ]);
    assert_eq!(protect.status, "0", "{}", protect.text);
    let fixture = "- {name: a, _delete: true}\n";
    let output = seed(&database, fixture, &[]);
    assert_eq!(output.status, "7", "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["a"]);
    assert_eq!(seed(&database, fixture, &["--confirm", "production"]).status, "0");
    assert_eq!(database.rows("select count(*) from t"), ["0"]);
}

#[test]
fn what_only_exact_may_say_is_refused_elsewhere() {
    let schema = "create table t (name text primary key)";
    refused(schema, "mode: exact\nrows: [{name: a}]\n", &[], "2", &["here nothing says where", "scope: all"]);
    refused(schema, "scope: all\nrows: [{name: a}]\n", &[], "2", &["belong to `mode: exact`"]);
    refused(schema, "mode: exact\nscope: {}\nrows: [{name: a}]\n", &[], "2", &["names no column"]);
    refused(
        schema,
        "mode: exact\nscope: all\nmax_delete: lots\nrows: [{name: a}]\n",
        &[],
        "2",
        &["`lots` is no limit"],
    );
}

#[test]
fn unseed_removes_exactly_what_the_fixtures_name() {
    let database = database(
        "create table parents (id serial primary key, code text unique not null);
         create table t (name text, parent_id int not null references parents, note text, primary key (name, parent_id));
         create table others (t_name text, t_parent int, foreign key (t_name, t_parent) references t on delete cascade)",
    );
    let directory = project(&[
        ("fixtures/parents.yaml", "- {code: one}\n- {code: two}\n"),
        (
            "fixtures/t.yaml",
            "key: [name, parent]\nrows:\n- {name: a, parent: one}\n- {name: a, parent: two}\n- {name: b, parent: one, _delete: true}\n",
        ),
    ]);
    let run = |arguments: &[&str]| {
        Seedbed::new(directory.path()).variable("DATABASE_URL", &database.url()).run(arguments)
    };
    assert_eq!(run(&["seed"]).status, "0");
    database.execute("insert into t values ('own', 1, 'x'); update t set note = 'changed' where name = 'a'");

    let referred = run(&["unseed", "parents"]);
    assert_eq!(referred.status, "1", "{}", referred.text);
    assert!(referred.text.contains("violates foreign key constraint"), "{}", referred.text);
    database.execute("insert into others values ('a', 2)");
    let cascading = run(&["unseed", "t"]);
    assert!(cascading.text.contains("also changes or deletes others: 1 of others"), "{}", cascading.text);
    assert_eq!(database.rows("select count(*) from t"), ["3"]);
    database.execute("delete from others");

    let removed = run(&["unseed", "t"]);
    assert_eq!(removed.status, "0", "{}", removed.text);
    assert!(removed.text.contains("updated    t -2"), "{}", removed.text);
    assert_eq!(database.rows("select name from t"), ["own"]);
    assert!(run(&["unseed", "t"]).text.contains("unchanged"));

    database.execute("delete from t");
    assert_eq!(run(&["seed"]).status, "0");
    assert!(run(&["unseed", "parents", "t"]).text.contains("parents -2, t -2"));
    assert_eq!(run(&["unseed"]).status, "2");
}

#[test]
fn a_row_to_delete_is_no_other_row() {
    // A column of that name is no mark.
    settles(
        "create table t (email text primary key, removed boolean); insert into t values ('a', true), ('b', true)",
        "mode: upsert\nrows:\n- {email: b, _delete: true}\n- {email: a, removed: false}\n",
        "updated    t ~1 -1",
        &["a|false"],
    );
    // A parent that is not there is not NULL.
    let schema = "create table parents (id int primary key, code text unique, kind text); insert into parents values (1, 'x', 'k'), (2, 'y', 'k');
         create table t (name text, parent_id int references parents, unique nulls not distinct (parent_id, name));
         insert into t values ('Books', null), ('Books', 1)";
    let fixture = |parent: &str| {
        format!("key: [parent_id, name]\nrows:\n- {{name: Books, parent_id: {{{parent}}}, _delete: true}}\n")
    };
    let database = database(schema);
    let gone = seed(&database, &fixture("code: gone"), &[]);
    assert!(gone.text.contains("unchanged"), "{}", gone.text);
    assert_eq!(database.rows("select count(*) from t"), ["2"]);
    refused(schema, &fixture("kind: k"), &[], "1", &["`parents` has several rows with kind = 'k'"]);
    let missing = "key: [parent, name]\nrows:\n- {name: Books, parent: gone}\n";
    refused(schema, missing, &[], "1", &["`parents` has no row with code = 'gone'"]);
}

#[test]
fn what_stays_or_comes_back_is_told() {
    let schema = |event: &str, body: &str| {
        format!(
            "create table t (name text primary key, size int); insert into t values ('a', 1), ('b', 2);
             create function f() returns trigger language plpgsql as $$ begin {body} end $$;
             create trigger f {event} on t for each row execute function f()"
        )
    };
    let fixtures = ["- {name: a, _delete: true}\n", "mode: exact\nscope: all\nrows:\n- {name: b, size: 2}\n"];
    for fixture in fixtures {
        refused(
            &schema("before delete", "return null;"),
            fixture,
            &[],
            "1",
            &["1 row of `t` was to be deleted and 0 went"],
        );
        let back = "insert into t values (old.name, old.size); return null;";
        refused(&schema("after delete", back), fixture, &[], "1", &["1 row of `t` would be deleted again"]);
    }
}

#[test]
fn rows_that_another_fixture_of_the_step_names_are_spared() {
    let database =
        database("create table t (name text primary key, size int); insert into t values ('x', 0), ('c', 3)");
    let directory = project(&[
        (
            "scenarios/a.yaml",
            "scenario: Two\nsteps:
- seed: Both
  fixtures: [t, more]
- seed: If there is none
  fixtures: first
  mode: if-empty
",
        ),
        ("fixtures/t.yaml", "mode: exact\nscope: all\nrows:\n- {name: a, size: 1}\n"),
        ("fixtures/more.yaml", "tables: {t: [{name: b, size: 2}, {name: c, size: 3}]}\n"),
        ("fixtures/first.yaml", "tables: {t: [{name: a, _delete: true}, {name: z}]}\n"),
    ]);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &database.url()]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select name from t order by 1"), ["a", "b", "c"]);
}

#[test]
fn a_step_cannot_make_its_own_rows_exact_without_a_scope() {
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Own\nsteps:\n- seed: Own\n  mode: exact\n  tables: {t: [{name: a}]}\n",
    )]);
    let output = Seedbed::new(directory.path()).run(&["check"]);
    assert_eq!(output.status, "2", "{}", output.text);
    assert!(output.text.contains("`t` does not say what `exact` may delete"), "{}", output.text);
}

#[test]
fn a_dry_run_leaves_constraints_as_they_begin() {
    let database = database(
        "create table t (id int primary key); insert into t values (1);
         create table children (t_id int references t deferrable initially immediate);
         create table later (t_id int references t deferrable initially deferred);
         insert into children values (1); create table notes (n int primary key)",
    );
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Dry\nsteps:
- {add: First, into: notes, row: {n: 1}}
- {delete: Immediate, from: t, where: {id: 1}, expect: restricted}
- {add: Deferred, into: later, row: {t_id: 1}}
",
    )]);
    for arguments in [&["--dry-run"][..], &[]] {
        let output =
            Seedbed::new(directory.path()).run(&[&["run", "--url", &database.url()], arguments].concat());
        assert_eq!(output.status, "0", "{}", output.text);
        assert!(output.text.contains("restricted"), "{}", output.text);
    }
}
