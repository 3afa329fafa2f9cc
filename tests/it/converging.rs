//! Fixtures that converge: `upsert` changes what differs and nothing else, and says when it cannot.

use crate::support::{Database, Output, Seedbed, project};

/// Runs `seed` with these fixtures.
fn seed(database: &Database, fixtures: &[(&str, &str)]) -> Output {
    let files: Vec<(String, &str)> =
        fixtures.iter().map(|(table, text)| (format!("fixtures/{table}.yaml"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let directory = project(&files);
    Seedbed::new(directory.path()).variable("DATABASE_URL", &database.url()).run(&["seed"])
}

fn database(schema: &str) -> Database {
    let database = Database::create();
    database.execute(schema);
    database
}

/// Seeds, which must end as `outcome` and leave these rows, and once more, which must write no tuple.
fn settles(database: &Database, fixtures: &[(&str, &str)], outcome: &str, rows: &str, expected: &[&str]) {
    let first = seed(database, fixtures);
    assert_eq!(first.status, "0", "{}", first.text);
    assert!(first.text.contains(outcome), "{}", first.text);
    assert_eq!(database.rows(rows), expected);
    let versions = "select sum(hashtext(xmin::text || ctid::text)) from t";
    let before = database.rows(versions);
    let second = seed(database, fixtures);
    assert!(second.text.contains("unchanged"), "{}", second.text);
    assert_eq!(database.rows(versions), before);
}

/// Seeds, which must be refused with these words and write nothing.
fn refused(schema: &str, fixture: &str, words: &[&str]) {
    let database = database(schema);
    let rows = "select * from t order by 1, 2";
    let before = database.rows(rows);
    let output = seed(&database, &[("t", fixture)]);
    assert_eq!(output.status, "1", "{}", output.text);
    for word in words {
        assert!(output.text.contains(word), "`{word}` is not in {}", output.text);
    }
    assert_eq!(database.rows(rows), before);
}

#[test]
fn an_upsert_changes_the_columns_it_gives_where_they_differ() {
    let database = database(
        "create table t (id int generated always as identity primary key, name text unique not null,
           size numeric(6,2), note text default 'new', seen int not null default 0);
         insert into t (name, size, note, seen) values ('a', 1, 'kept', 7), ('b', 2.5, 'kept', 7), ('z', 9, 'z', 9)",
    );
    let fixture =
        "mode: upsert\nrows:\n- {name: a, size: 1.50}\n- {name: b, size: 2.50}\n- {name: c, size: null}\n";
    let rows = "select name, size, note, seen from t order by name";
    let expected = ["a|1.50|kept|7", "b|2.50|kept|7", "c|null|new|0", "z|9.00|z|9"];
    let b = database.rows("select xmin, ctid from t where name = 'b'");
    settles(&database, &[("t", fixture)], "created", rows, &expected);
    assert_eq!(database.rows("select xmin, ctid from t where name = 'b'"), b, "b was written");

    let fixture = "mode: upsert\nrows:\n- {name: a, size: null, seen: 1}\n";
    let expected = ["a|null|kept|1", "b|2.50|kept|7", "c|null|new|0", "z|9.00|z|9"];
    settles(&database, &[("t", fixture)], "updated    t ~1", rows, &expected);
}

#[test]
fn what_is_for_new_rows_only_is_left_alone_in_others() {
    let database = database(
        "create table t (name text primary key, password text, size int);
         insert into t values ('a', 'own', 1)",
    );
    let fixture = "mode: upsert\ninsert_only: [password]\ndefaults: {password: first}\nrows:\n- {name: a, size: 2}\n- {name: b, size: 2}\n";
    settles(&database, &[("t", fixture)], "created", "select * from t order by 1", &["a|own|2", "b|first|2"]);
}

#[test]
fn references_are_updated_too_and_to_rows_that_are_added_with_them() {
    let database = database(
        "create table parents (id serial primary key, code text unique not null);
         create table t (name text primary key, parent_id int references parents, boss text references t);
         insert into parents (code) values ('old'); insert into t values ('a', 1, null), ('b', 1, 'a')",
    );
    let fixtures = [
        ("parents", "- {code: new}\n"),
        (
            "t",
            "mode: upsert\nrows:\n- {name: a, parent: new, boss: b}\n- {name: b, parent: old, boss: c}\n- {name: c, parent: new}\n",
        ),
    ];
    let rows = "select t.name, p.code, t.boss from t join parents p on p.id = t.parent_id order by 1";
    settles(&database, &fixtures, "created", rows, &["a|new|b", "b|old|c", "c|new|null"]);
}

#[test]
fn values_are_compared_by_what_they_mean() {
    let database = database(
        "create type mood as enum ('sad', 'fine');
         create table t (id int primary key, j json, b jsonb, m mood, a int[], p point, i interval, c char(4), at timestamptz, x bytea, r int4range);
         insert into t values (1, '{\"a\": 1}', '{\"a\": 1}', 'fine', '{1,2}', '(1,2)', '1 day', 'ab', '2026-01-01T00:00Z', '\\x01', '[1,3)')",
    );
    let before = database.rows("select xmin, ctid from t");
    let fixture = "mode: upsert\nrows:\n- {id: 1, j: {a: 1}, b: {a: 1}, m: fine, a: [1, 2], p: '(1,2)', i: 24:00:00, c: ab, at: '2026-01-01 01:00+01', x: '\\x01', r: '[1,2]'}\n";
    let output = seed(&database, &[("t", fixture)]);
    // A day and 24 hours are equal to the server, so there is nothing to write.
    assert!(output.text.contains("unchanged"), "{}", output.text);
    assert_eq!(database.rows("select xmin, ctid from t"), before);

    let fixture = "mode: upsert\nrows:\n- {id: 1, j: {a: 2}, b: [1], m: sad, a: [2], p: '(2,2)', i: 1 hour, c: b, at: '2026-01-01 01:00+00', x: '\\x02', r: empty}\n";
    let rows =
        "select j::text, b::text, m::text, a::text, p::text, i::text, c::text, x::text, r::text from t";
    let expected = ["{\"a\":2}|[1]|sad|{2}|(2,2)|01:00:00|b|\\x02|empty"];
    settles(&database, &[("t", fixture)], "updated", rows, &expected);
}

#[test]
fn a_trigger_that_fights_the_fixture_is_told_and_nothing_kept() {
    let trigger = |event: &str, body: &str| {
        format!(
            "create table t (name text primary key, size int); insert into t values ('a', 1);
             create function f() returns trigger language plpgsql as $$ begin {body} end $$;
             create trigger f {event} on t for each row execute function f()"
        )
    };
    let upsert = "mode: upsert\nrows:\n- {name: a, size: 2}\n";
    let words = ["`t.size` never settles: it is `5` again", "fixtures/t.yaml:3:19"];
    refused(&trigger("before update", "new.size := 5; return new;"), upsert, &words);
    let after = "if new.size <> 5 then update t set size = 5 where name = new.name; end if; return null;";
    refused(&trigger("after update", after), upsert, &words);
    refused(&trigger("before update", "return null;"), upsert, &["`t.size` never settles: it is `1` again"]);
    refused(
        &trigger("before insert", "new.name := new.name || (select count(*) from t); return new;"),
        "- {name: b, size: 2}\n",
        &["1 row of `t` cannot be found again by the key"],
    );
    refused(
        &trigger("before insert", "new.name := upper(new.name); return new;"),
        "- {name: b, size: 2}\n",
        &["what was written cannot be found again by its key", "duplicate key"],
    );
}

#[test]
fn what_an_upsert_cannot_do_is_refused_at_its_place() {
    refused(
        "create table t (name text, size int); insert into t values ('a', 1), ('a', 2)",
        "mode: upsert\nkey: [name]\nrows:\n- {name: a, size: 3}\n",
        &["`t` has several rows with this key", "fixtures/t.yaml:4:3"],
    );
    refused(
        "create table t (id int generated always as identity primary key, name text unique); insert into t (name) values ('a')",
        "mode: upsert\nkey: [name]\nrows:\n- {name: a, id: 3}\n",
        &["`t.id` is 1 here, and nobody may change it", "fixtures/t.yaml:4:17", "insert_only"],
    );
    refused(
        "create table t (name text primary key, size int); insert into t values ('a', 1)",
        "mode: upsert\nrows:\n- {name: a, size: 2}\n- {name: a, size: 3}\n",
        &["two rows of `t` have the same key", "fixtures/t.yaml:4:3"],
    );
    refused(
        "create table parents (id int primary key, code text unique);
         create table t (name text primary key, parent_id int references parents); insert into t values ('a', null)",
        "mode: upsert\nrows:\n- {name: a, parent: gone}\n",
        &["`parents` has no row with code = 'gone'"],
    );
    refused(
        "create table t (name text primary key, rank int unique); insert into t values ('a', 1), ('b', 2)",
        "mode: upsert\nkey: [name]\nrows:\n- {name: a, rank: 2}\n- {name: b, rank: 1}\n",
        &["t_rank_key"],
    );
    refused(
        "create table t (name text primary key, price numeric(5,2)); insert into t values ('a', 1)",
        "mode: upsert\nrows:\n- {name: a, price: 1.999}\n",
        &["`1.999` is not exactly representable", "fixtures/t.yaml:3:20"],
    );
}

#[test]
fn a_step_may_do_less_than_its_fixture() {
    let database =
        database("create table t (name text primary key, size int); insert into t values ('a', 1)");
    let directory = project(&[
        ("fixtures/t.yaml", "mode: upsert\nrows:\n- {name: a, size: 2}\n- {name: b, size: 2}\n"),
        (
            "scenarios/a.yaml",
            "scenario: Less\nsteps:\n- seed: Only what is missing\n  fixtures: t\n  mode: insert\n",
        ),
    ]);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &database.url()]);
    assert!(output.text.contains("kept 1 row that differs"), "{}", output.text);
    assert_eq!(database.rows("select * from t order by 1"), ["a|1", "b|2"]);
}

#[test]
fn templates_and_several_tables_in_one_file_save_words() {
    let database = database(
        "create table parents (id serial primary key, code text unique not null);
         create table t (name text primary key, parent_id int references parents, role text, size int)",
    );
    let fixture = "tables:
  parents:
    - {code: one}
  t:
    mode: upsert
    defaults: {parent: one, size: 1, role: guest}
    templates:
      admin: {role: admin, size: 2}
      big: {size: 9}
    rows:
      - {name: a}
      - {name: b, use: admin}
      - {name: c, use: [big, admin]}
      - {name: d, use: admin, size: 3}
";
    let rows = "select t.name, p.code, t.role, t.size from t join parents p on p.id = t.parent_id order by 1";
    let expected = ["a|one|guest|1", "b|one|admin|2", "c|one|admin|9", "d|one|admin|3"];
    settles(&database, &[("team", fixture)], "created", rows, &expected);

    for (wrong, words) in [
        ("templates: {admin: {size: 1}}\nrows: [{name: a, use: admim}]\n", "did you mean `admin`"),
        ("tables: {t: [{name: a}]}\nrows: []\n", "beside `tables` stands nothing else"),
    ] {
        let output = seed(&database, &[("t", wrong)]);
        assert_eq!(output.status, "2", "{}", output.text);
        assert!(output.text.contains(words), "{}", output.text);
    }
}

#[test]
fn a_named_fixture_brings_the_parents_it_needs_and_no_more() {
    let database = database(
        "create table regions (id serial primary key, code text unique not null);
         create table parents (id serial primary key, code text unique not null, region_id int references regions);
         create table others (name text primary key);
         create table t (name text primary key, parent_id int references parents); insert into parents (code) values ('kept')",
    );
    let files = [
        ("fixtures/t.yaml", "- {name: a, parent: one}\n"),
        ("fixtures/others.yaml", "- {name: a}\n"),
        ("fixtures/regions.yaml", "- {code: n}\n"),
        (
            "fixtures/parents.yaml",
            "mode: exact\nscope: all\nkey: code\nrows:\n- {code: one, region: n}\n- {code: kept, _delete: true}\n",
        ),
    ];
    let directory = project(&files);
    let output = Seedbed::new(directory.path()).run(&["seed", "t", "--url", &database.url()]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("parents +1, regions +1, t +1"), "{}", output.text);
    assert_eq!(database.rows("select code from parents order by 1"), ["kept", "one"]);
    assert_eq!(database.rows("select count(*) from others"), ["0"]);
}
