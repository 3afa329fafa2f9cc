//! Keys that are indexes on expressions or on a part of the rows, and links that no constraint tells of.

use crate::support::{Database, Output, Seedbed, project};

fn seed(database: &Database, files: &[(&str, &str)]) -> Output {
    let files: Vec<(String, &str)> =
        files.iter().map(|(name, text)| (format!("fixtures/{name}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let directory = project(&files);
    Seedbed::new(directory.path()).variable("DATABASE_URL", &database.url()).run(&["seed"])
}

fn settles(database: &Database, files: &[(&str, &str)], words: &str, rows: &str, expected: &[&str]) {
    let output = seed(database, files);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains(words), "{}", output.text);
    assert_eq!(database.rows(rows), expected);
    let again = seed(database, files);
    assert!(again.text.contains("unchanged"), "{}", again.text);
}

fn refused(database: &Database, files: &[(&str, &str)], words: &[&str]) {
    let output = seed(database, files);
    assert_ne!(output.status, "0", "{}", output.text);
    for word in words {
        assert!(output.text.contains(word), "`{word}` is not in {}", output.text);
    }
}

#[test]
fn an_index_on_an_expression_tells_rows_apart() {
    let database = Database::create();
    database.execute(
        "create table t (id int generated always as identity primary key, email text not null, name text, n int);
         create unique index t_lower_email on t (lower(email));
         insert into t (email, name) values ('Ann@Acme.test', 'Ann'), ('zoe@acme.test', 'Zoe')",
    );
    let rows = "select email, name from t order by lower(email)";
    let fixture = "key: {index: t_lower_email}\nrows:\n- {email: ann@acme.test, name: New}\n- {email: Bob@acme.test, name: Bob}\n";
    let expected = ["Ann@Acme.test|Ann", "Bob@acme.test|Bob", "zoe@acme.test|Zoe"];
    settles(&database, &[("t.yaml", fixture)], "kept 1 row that differs, t +1", rows, &expected);
    let fixture = fixture.replace("rows:", "mode: upsert\nrows:");
    let expected = ["ann@acme.test|New", "Bob@acme.test|Bob", "zoe@acme.test|Zoe"];
    settles(&database, &[("t.yaml", &fixture)], "t ~1", rows, &expected);
    let exact = "key: {index: t_lower_email}\nmode: exact\nscope: all\nmax_delete: 2\nrows:\n- {email: ANN@acme.test}\n- {email: zoe@acme.test, _delete: true}\n";
    settles(&database, &[("t.yaml", exact)], "t ~1 -2", rows, &["ANN@acme.test|New"]);
    let file = ("t.csv", "email,name\nann@acme.test,Ann\nx@acme.test,X\n");
    let fixture = ("t.yaml", "key: {index: t_lower_email}\nmode: upsert\nfrom: t.csv\n");
    settles(&database, &[fixture, file], "t +1 ~1", rows, &["ann@acme.test|Ann", "x@acme.test|X"]);
    let twice = "key: {index: t_lower_email}\nrows:\n- {email: q@acme.test}\n- {email: Q@acme.test}\n";
    refused(&database, &[("t.yaml", twice)], &["t.yaml:4:3", "same key", "first here"]);
    refused(
        &database,
        &[("t.yaml", "key: {index: t_email}\nrows:\n- {email: q}\n")],
        &["t.yaml:1:14", "no unique index `t_email`"],
    );
    refused(
        &database,
        &[("t.yaml", "key: {idx: t_email}\nrows:\n- {email: q}\n")],
        &["t.yaml:1:7", "unknown key `idx`"],
    );
}

#[test]
fn a_partial_index_tells_the_rows_apart_that_it_holds() {
    let database = Database::create();
    database.execute(
        "create table t (id int generated always as identity primary key, slug text not null, gone_at date, size int);
         create unique index t_live on t (slug) where gone_at is null;
         insert into t (slug, gone_at, size) values ('a', '2020-01-01', 1), ('a', '2021-01-01', 2), ('b', null, 3)",
    );
    let rows = "select slug, gone_at, size from t order by 1, 2, 3";
    let fixture = "key: {index: t_live}\nmode: upsert\nrows:\n- {slug: a, size: 9}\n- {slug: b, size: 4}\n";
    let expected = ["a|2020-01-01|1", "a|2021-01-01|2", "a|null|9", "b|null|4"];
    settles(&database, &[("t.yaml", fixture)], "t +1 ~1", rows, &expected);
    let outside = "key: {index: t_live}\nrows:\n- {slug: a, gone_at: 2022-01-01}\n";
    refused(&database, &[("t.yaml", outside)], &["t.yaml:3:3", "not in the index", "gone_at IS NULL"]);
}

#[test]
fn declared_links_find_parents_where_no_constraint_does() {
    let database = Database::create();
    database.execute(
        "create table users (id int generated always as identity primary key, email text not null unique, name text not null unique);
         create table t (id int generated always as identity primary key, what text not null unique, owner_email text, subject_id int);
         insert into users (email, name) values ('ann@acme.test', 'Ann')",
    );
    let files = [
        ("users.yaml", "key: email\nrows:\n- {email: bob@acme.test, name: Bob}\n"),
        (
            "t.yaml",
            "key: what\nrefs:\n  owner: {table: users, columns: {owner_email: email}}\n  subject: {table: users, columns: {subject_id: id}}\nrows:\n- {what: a, owner_email: {name: Ann}, subject: {name: Bob}}\n- {what: b, owner: {name: Bob}, subject_id: 7}\n",
        ),
    ];
    let rows = "select what, owner_email, subject_id from t order by 1";
    settles(&database, &files, "created", rows, &["a|ann@acme.test|2", "b|bob@acme.test|7"]);
    let wrong =
        "key: what\nrefs: {owner: {table: users, columns: {owner_mail: email}}}\nrows:\n- {what: a}\n";
    refused(
        &database,
        &[("t.yaml", wrong)],
        &["t.yaml:2:40", "no column `owner_mail`", "did you mean `owner_email`?"],
    );
    let wrong =
        "key: what\nrefs: {owner: {table: user, columns: {owner_email: email}}}\nrows:\n- {what: a}\n";
    refused(
        &database,
        &[("t.yaml", wrong)],
        &["t.yaml:2:23", "there is no table `user`", "did you mean `users`?"],
    );
    refused(
        &database,
        &[("t.yaml", "refs: {owner: {table: users}}\nrows:\n- {what: a}\n")],
        &["t.yaml:1:8", "does not say where it leads"],
    );
    let missing = "key: what\nrefs: {owner: {table: users, columns: {owner_email: email}}}\nrows:\n- {what: c, owner: {name: Zoe}}\n";
    refused(&database, &[("t.yaml", missing)], &["t.yaml:4:20", "`users` has no row with name = 'Zoe'"]);
}
