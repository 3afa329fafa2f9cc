//! `refinery`, the command, and `up` take turns on one database: neither sees a drift.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Database, Seedbed, project, server};

/// The command, which `scripts/prepare` installs.
fn refinery() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/refinery");
    assert!(installed.exists(), "{} is missing: run scripts/prepare", installed.display());
    installed
}

fn migrate(database: &Database, directory: &Path) -> String {
    let socket = server().socket_directory().display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{socket}:5432/{}", database.name);
    let output = Command::new(refinery())
        .args(["migrate", "-d", "-m", "-e", "TARGET", "-p", "migrations"])
        .env("TARGET", url)
        .current_dir(directory)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

fn up(database: &Database, directory: &Path, expected: &str) {
    let output = Seedbed::new(directory).variable("CONNECTION_STRING", &database.url()).run(&["migrate"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains(expected), "{}", output.text);
}

#[test]
fn refinery_and_seedbed_take_turns_without_a_drift() {
    let database = Database::create();
    let directory = project(&[("migrations/V1__first.sql", "create table first (id int);\n")]);
    let add = |name: &str, text: &str| {
        std::fs::write(directory.path().join("migrations").join(name), text).unwrap();
    };
    migrate(&database, directory.path());
    up(&database, directory.path(), "1 applied before, nothing pending");
    add("V2__größe.sql", "create table second (id int); -- ü\n");
    up(&database, directory.path(), "1 applied before, 1 pending");
    migrate(&database, directory.path());
    add("V3__third.sql", "create table third (id int);");
    migrate(&database, directory.path());
    up(&database, directory.path(), "3 applied before, nothing pending");
    add("U4__late.sql", "create table fourth (id int);");
    up(&database, directory.path(), "3 applied before, 1 pending");
    migrate(&database, directory.path());
    let rows =
        database.rows("select version, name, applied_on, checksum from refinery_schema_history order by 1");
    let form = regex::Regex::new(r"^\d\|\w+\|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z\|\d+$").unwrap();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| form.is_match(row)), "{rows:?}");
    let columns = "select column_name, data_type, character_maximum_length from information_schema.columns
        where table_name = 'refinery_schema_history' order by ordinal_position";
    let other = Database::create();
    up(&other, directory.path(), "0 applied before, 4 pending");
    assert_eq!(database.rows(columns), other.rows(columns));
    migrate(&other, directory.path());
}
