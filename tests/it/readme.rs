//! What the README and the pages show is what happens: their sessions are run, in order, on one database
//! for each page.

use std::path::Path;

use crate::support::{Database, Seedbed, elide};

#[test]
fn the_sessions_of_the_readme_and_the_pages_are_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    pages.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let count: usize = pages.iter().map(|page| check(root, page)).sum();
    assert!(count >= 12, "only {count} sessions");
}

fn check(root: &Path, page: &Path) -> usize {
    let text = std::fs::read_to_string(page).unwrap();
    let database = Database::create();
    let shown = database.shown_name();
    let same = |text: &str| {
        let server = Database { name: "postgres".to_owned() }.shown_name();
        let names = [
            (&*shown, "[database]"),
            ("postgres@localhost:5432/roster", "[database]"),
            (&*server, "[server]"),
            ("postgres@localhost:5432/postgres", "[server]"),
        ];
        elide(text, &names)
    };
    let sessions: Vec<&str> =
        text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    for session in &sessions {
        let (command, expected) = session.split_once('\n').unwrap();
        let arguments: Vec<&str> = command.strip_prefix("$ seedbed ").unwrap().split_whitespace().collect();
        let output = Seedbed::new(root).variable("CONNECTION_STRING", &database.url()).run(&arguments);
        let page = page.display();
        assert_eq!(same(&output.text).trim_end(), same(expected).trim_end(), "{page}: {command}");
    }
    sessions.len()
}
