//! A report that does not arrive.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::support::{Database, binary, project};

/// Runs a project of one migration with the given standard output; the exit status, and what was told.
fn up(database: &Database, options: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let directory = project(&[("migrations/V1__t.sql", "create table t (id int);\n")]);
    let mut command = Command::new(binary());
    command.current_dir(directory.path()).env_clear().env("CONNECTION_STRING", database.url());
    let child = command.arg("up").args(options).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_told_of_and_undoes_nothing() {
    for options in [&["--json"][..], &[]] {
        let database = Database::create();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (status, told) = up(&database, options, full.into());
        assert_eq!(status, Some(1), "{told}");
        assert!(told.contains("error: the report could not be written: No space left on device"), "{told}");
        assert_eq!(database.rows("select count(*) from t"), ["0"]);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for options in [&["--json"][..], &[]] {
        let database = Database::create();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(up(&database, options, writer.into()), (Some(0), String::new()));
        assert_eq!(database.rows("select count(*) from t"), ["0"]);
    }
}
