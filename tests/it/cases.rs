//! What a person sees: each file of `tests/cases/` is a project, a command line and, beside it in
//! a `.out` file, everything the command answers and leaves in the database.
//!
//! A `.in` file is a head of `key: value` lines and the project's files, each behind a line
//! `-- path --`. Where it brings no migration, the roster's is used. Run with
//! `SNAPSHOTS=overwrite` to accept new answers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Database, Seedbed, elide};

#[test]
fn every_case_answers_as_written() {
    let cases = all();
    assert!(cases.len() > 30, "only {} cases were found", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(panic) = std::panic::catch_unwind(|| check(case)) {
            failed.push((case.file_stem().unwrap().to_owned(), panic));
        }
    }
    let names: Vec<_> = failed.iter().map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{} of {} cases differ: {names:?}", failed.len(), cases.len());
}

/// The files of all cases.
pub fn all() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "in"))
        .collect();
    cases.sort();
    cases
}

fn check(path: &Path) {
    let case = Case::parse(&fs::read_to_string(path).unwrap());
    let project = tempfile::tempdir().unwrap();
    for (name, bytes) in &case.files {
        let file = project.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    if !project.path().join("migrations").exists() && !case.has("migrations") {
        let migrations = project.path().join("migrations");
        fs::create_dir_all(&migrations).unwrap();
        let roster = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/V1__create_roster.sql");
        fs::copy(roster, migrations.join("V1__create_roster.sql")).unwrap();
    }
    let database = Database::create();
    for statement in case.all("before") {
        database.execute(statement);
    }
    let url = database.url();
    let fill = |text: &str| text.replace("{url}", &url).replace("{database}", &database.name);
    let mut answer = String::new();
    for arguments in case.all("run") {
        let mut seedbed = Seedbed::new(project.path());
        if !case.has("target") {
            seedbed = seedbed.variable("CONNECTION_STRING", &url);
        }
        for variable in case.all("env") {
            let (name, value) = variable.split_once('=').unwrap();
            seedbed = seedbed.variable(name, &fill(value));
        }
        let output = seedbed.run(&arguments.split_whitespace().map(fill).collect::<Vec<_>>());
        answer.push_str(&format!("$ seedbed {arguments}\n{}exit {}\n", output.text, output.status));
    }
    for path in case.all("show") {
        let text = fs::read_to_string(project.path().join(path)).unwrap_or_else(|error| format!("{error}\n"));
        answer.push_str(&format!("\n-- {path} --\n{text}"));
    }
    answer.push_str(&format!("\ndatabase\n{}", database.inventory()));
    let answer = elide(
        &answer,
        &[
            (&database.shown_name(), "[database]"),
            (&database.name, "[name]"),
            (&project.path().to_string_lossy(), "[project]"),
        ],
    );
    let expected = snapbox::Data::read_from(&path.with_extension("out"), None);
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(answer, expected.raw());
}

/// A case as written.
pub struct Case {
    head: Vec<(String, String)>,
    pub files: Vec<(String, Vec<u8>)>,
}

impl Case {
    pub fn parse(text: &str) -> Case {
        let mut case = Case { head: Vec::new(), files: Vec::new() };
        for line in text.lines() {
            if let Some(path) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
                case.files.push((path.to_owned(), Vec::new()));
            } else if let Some((_, bytes)) = case.files.last_mut() {
                bytes.extend(unescape(line));
                bytes.push(b'\n');
            } else if let Some((key, value)) = line.split_once(": ") {
                case.head.push((key.to_owned(), value.to_owned()));
            }
        }
        // `-- path (no newline) --` ends a file in the middle of a line; `(repeat N)` repeats it.
        for (path, bytes) in &mut case.files {
            if let Some(name) = path.clone().strip_suffix(" (no newline)") {
                bytes.pop();
                *path = name.to_owned();
            }
        }
        case
    }

    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn has(&self, key: &str) -> bool {
        self.all(key).next().is_some()
    }
}

/// `\t:` and `\xff` stand for bytes that an editor would hide or refuse; `\*1000{text}` repeats.
fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        bytes.extend(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("t:") {
            bytes.push(b'\t');
            rest = after;
        } else if let Some(byte) = rest.strip_prefix('x').and_then(|rest| rest.get(..2)) {
            bytes.push(u8::from_str_radix(byte, 16).unwrap());
            rest = &rest[3..];
        } else if let Some(after) = rest.strip_prefix('*') {
            let (count, after) = after.split_once('{').unwrap();
            let (text, after) = after.split_once('}').unwrap();
            bytes.extend(text.repeat(count.parse().unwrap()).into_bytes());
            rest = after;
        } else {
            bytes.push(b'\\');
        }
    }
    bytes.extend(rest.as_bytes());
    bytes
}
