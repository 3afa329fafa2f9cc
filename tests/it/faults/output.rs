//! Outputs that are closed or full, and words from the server that would take a terminal over.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Database, Seedbed, binary, project};

fn command(directory: &Path, database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["up", "--url", &database.url()]).args(arguments).current_dir(directory).env_clear();
    command
}

/// An output that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_closed_or_full_output_stops_no_run_and_panics_nowhere() {
    type Output = fn() -> Stdio;
    let outputs: [(&str, Output); 2] = [("closed", closed), ("full", full)];
    for (name, output) in outputs {
        for arguments in [&[][..], &["--verbose"], &["--json"], &["--color", "always"]] {
            let database = Database::create();
            let project = super::trial::project();
            let mut command = command(&project, &database, arguments);
            let ended = command.stdout(output()).stderr(output()).status().unwrap();
            // What cannot be written is told by the status; somebody who stopped reading knows.
            let expected = if name == "full" { 1 } else { 0 };
            assert_eq!(ended.code(), Some(expected), "{name} {arguments:?}: {ended}");
            assert_eq!(database.rows("select count(*) from effects"), ["7"], "{name} {arguments:?}");
            assert_eq!(database.rows("select who from visits"), ["Eve"], "{name} {arguments:?}");
        }
    }
}

#[test]
fn words_of_the_server_cannot_take_over_a_terminal() {
    // Sets the window's title, clears the screen, and forges a line of the report.
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\nok  everything was forged";
    let shown = |text: &str| {
        !text.contains("\u{1b}]0;owned") && !text.contains("\u{1b}[2J") && !text.contains('\u{9b}')
    };
    let database = Database::create();
    let sql = |text: &str| text.replace("{evil}", &evil.replace('\'', "''"));
    database.execute(&sql(
        "create table t (id int, name text);
         insert into t values (1, '{evil}');
         create function evil() returns trigger language plpgsql as $$ begin
           raise notice '{evil}';
           raise exception '{evil}' using detail = '{evil}', hint = '{evil}', constraint = '{evil}', table = '{evil}', errcode = '23505';
         end $$;
         create trigger evil before insert on t for each row execute function evil()",
    ));
    let mut holder = database.client();
    let add = "scenario: Evil\nsteps:\n  - add: One\n    into: t\n    row: {id: 2}\n";
    let asserts = "scenario: Evil\nsteps:\n  - assert: One\n    query: select name from t where id = 1\n    rows: [{name: x}]\n";
    let raises = sql("do $$ begin raise exception '{evil}'; end $$;");
    for (path, text, status) in [
        ("scenarios/a.yaml", add, "1"),
        ("scenarios/a.yaml", asserts, "1"),
        ("migrations/V1__a.sql", &raises, "4"),
    ] {
        let directory = project(&[(path, text)]);
        for arguments in [&["--color", "always"][..], &["--color", "always", "--verbose"], &["--json"]] {
            let mut all = vec!["up".to_owned(), "--url".to_owned(), database.url()];
            all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
            let output = Seedbed::new(directory.path()).run(&all);
            assert_eq!(output.status, status, "{}", output.text);
            assert!(shown(&output.text), "{path} {arguments:?}: {:?}", output.text);
            let forged = output.text.lines().any(|line| line.starts_with("ok  everything"));
            assert!(!forged, "{path} {arguments:?}: {}", output.text);
        }
    }
    // What another session calls itself. The server keeps only printable ASCII of that.
    holder
        .batch_execute("set application_name = E'\\x1b]0;owned'; select pg_advisory_lock(x'73656565'::int, hashtext('public'))")
        .unwrap();
    let directory = project(&[("migrations/V1__a.sql", "select 1;")]);
    let url = database.url();
    let output =
        Seedbed::new(directory.path()).run(&["up", "--url", &url, "--lock-wait", "0s", "--color", "always"]);
    assert_eq!(output.status, "5", "{}", output.text);
    assert!(shown(&output.text), "{:?}", output.text);
}
