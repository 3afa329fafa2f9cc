//! What the README shows is what happens: its sessions are run, in order, on one database.

use std::path::Path;

use crate::support::{Database, Seedbed, elide};

#[test]
fn the_sessions_of_the_readme_are_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let database = Database::create();
    let shown = database.shown_name();
    let same =
        |text: &str| elide(text, &[(&shown, "[database]"), ("postgres@localhost:5432/roster", "[database]")]);
    let sessions: Vec<&str> =
        readme.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(sessions.len() >= 4, "only {} sessions", sessions.len());
    for session in sessions {
        let (command, expected) = session.split_once('\n').unwrap();
        let arguments: Vec<&str> = command.strip_prefix("$ seedbed ").unwrap().split_whitespace().collect();
        let output = Seedbed::new(root).variable("CONNECTION_STRING", &database.url()).run(&arguments);
        assert_eq!(same(&output.text).trim_end(), same(expected).trim_end(), "{command}");
    }
}
