//! Databases that are not in UTF-8: values arrive exactly, or are refused by name.

use crate::support::{Database, Output, Seedbed, project};

fn seed(database: &Database, name: &str) -> Output {
    let fixture = format!("- {{name: {name}}}\n");
    let directory = project(&[
        ("migrations/V1__t.sql", "create table if not exists people (name text unique);"),
        ("fixtures/people.yaml", &fixture),
        ("scenarios/a.yaml", "scenario: Words\nsteps:\n  - seed: People\n    fixtures: [people]\n"),
    ]);
    Seedbed::new(directory.path()).run(&["up", "--url", &database.url()])
}

fn database(encoding: &str) -> Database {
    let database = Database::create();
    let maker = Database { name: "postgres".to_owned() };
    maker.execute(&format!("drop database {}", database.name));
    maker.execute(&format!(
        "create database {} encoding '{encoding}' template template0 locale_provider libc lc_collate 'C' lc_ctype 'C'",
        database.name
    ));
    database
}

#[test]
fn values_are_exact_or_refused_whatever_the_server_s_encoding() {
    for (encoding, name, kept) in [
        ("LATIN1", "Müller", Some("4dfc6c6c6572")),
        ("LATIN1", "日本", None),
        ("UTF8", "日本", Some("e697a5e69cac")),
        ("SQL_ASCII", "Müller", Some("4dc3bc6c6c6572")),
        ("SQL_ASCII", "日本", Some("e697a5e69cac")),
    ] {
        let database = database(encoding);
        let output = seed(&database, name);
        match kept {
            Some(bytes) => {
                assert_eq!(output.status, "0", "{encoding} {name}: {}", output.text);
                let stored = "select encode(convert_to(name, getdatabaseencoding()), 'hex') from people";
                let stored = if encoding == "SQL_ASCII" {
                    "select encode(name::bytea, 'hex') from people"
                } else {
                    stored
                };
                assert_eq!(database.rows(stored), [bytes], "{encoding} {name}");
                // And it is found there again.
                let again = seed(&database, name);
                assert_eq!(again.status, "0", "{}", again.text);
                assert_eq!(database.rows("select count(*) from people"), ["1"], "{}", again.text);
            }
            None => {
                assert_eq!(output.status, "1", "{encoding} {name}: {}", output.text);
                assert!(output.text.contains("22P05"), "{}", output.text);
                assert!(output.text.contains("People"), "{}", output.text);
                assert_eq!(database.rows("select count(*) from people"), ["0"]);
            }
        }
    }
}
