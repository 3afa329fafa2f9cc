//! Files against history: what is applied, what is pending, and what does not fit.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::history::Applied;
use crate::database::facts::HISTORY;
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::Span;

/// One version, seen from both sides.
#[derive(Debug, Clone)]
pub struct Version<'f, 'r> {
    /// The version.
    pub version: i64,
    /// The file, if there is one.
    pub file: Option<&'f Migration>,
    /// The row of the history, if there is one.
    pub applied: Option<&'r Applied>,
    /// What that makes it.
    pub state: State,
}

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Applied, and the file is what was applied.
    Applied,
    /// To be applied.
    Pending,
    /// Applied, and the file is another one since.
    Drifted,
    /// Applied, and the file is gone.
    Missing,
    /// Applied by a newer version of the project: above every file.
    Ahead,
    /// Not applied, though a higher version is.
    OutOfOrder,
    /// The history's row cannot be read.
    Damaged,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Drifted => "drifted",
            State::Missing => "missing",
            State::Ahead => "ahead",
            State::OutOfOrder => "out of order",
            State::Damaged => "damaged",
        }
    }

    /// Whether `up` refuses to go on.
    pub fn is_fault(self) -> bool {
        !matches!(self, State::Applied | State::Pending | State::Ahead)
    }
}

/// Compares files and history; sorted by version.
pub fn compare<'f, 'r>(files: &'f [Migration], applied: &'r [Applied]) -> Vec<Version<'f, 'r>> {
    let current = applied.iter().map(|row| row.version).max();
    let mut versions: Vec<Version> = files
        .iter()
        .map(|file| {
            let version = i64::from(file.version);
            let row = applied.iter().find(|row| row.version == version);
            let state = match row {
                Some(row) => state_of(file, row),
                None if !file.unversioned && current.is_some_and(|current| current >= version) => {
                    State::OutOfOrder
                }
                None => State::Pending,
            };
            Version { version, file: Some(file), applied: row, state }
        })
        .collect();
    let newest = files.iter().map(|file| i64::from(file.version)).max();
    let gone = applied.iter().filter(|row| !files.iter().any(|file| i64::from(file.version) == row.version));
    versions.extend(gone.map(|row| {
        let state = match newest {
            _ if is_damaged(row) => State::Damaged,
            Some(newest) if row.version > newest => State::Ahead,
            _ => State::Missing,
        };
        Version { version: row.version, file: None, applied: Some(row), state }
    }));
    versions.sort_by_key(|version| version.version);
    versions
}

/// refinery's checksum of a file: of its name, version and text, byte for byte.
///
/// Computed here and not by refinery, which compiles a regular expression for each file that is asked for.
pub fn checksum(file: &Migration) -> u64 {
    checksum_of(file, file.version, &file.source.text)
}

fn checksum_of(file: &Migration, version: impl Hash, text: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    file.name.hash(&mut hasher);
    version.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}

fn state_of(file: &Migration, row: &Applied) -> State {
    if is_damaged(row) {
        return State::Damaged;
    }
    // Version control may have changed the line ends, which changes nothing that was applied.
    let is_same = row.name.as_deref() == Some(&file.name)
        && row.checksum.as_deref().is_some_and(|checksum| is_checksum_of(file, file.version, checksum));
    if is_same { State::Applied } else { State::Drifted }
}

/// Whether a row was written by a refinery that was built with `int8-versions`: it hashes versions as
/// eight bytes, so every checksum is another one.
fn has_wide_version(file: &Migration, row: &Applied) -> bool {
    row.checksum.as_deref().is_some_and(|checksum| is_checksum_of(file, i64::from(file.version), checksum))
}

/// Whether a checksum is that of a file, as it is or with other line ends.
fn is_checksum_of(file: &Migration, version: impl Hash + Copy, checksum: &str) -> bool {
    let is_of = |text: &str| checksum_of(file, version, text).to_string() == checksum;
    let text = &file.source.text;
    is_of(text) || {
        let unix = text.replace("\r\n", "\n");
        is_of(&unix) || is_of(&unix.replace('\n', "\r\n"))
    }
}

fn is_damaged(row: &Applied) -> bool {
    let is_number = row.checksum.as_ref().is_some_and(|text| text.parse::<u64>().is_ok());
    row.name.is_none() || row.applied_on.is_none() || !is_number
}

/// What keeps the pending migrations from being applied, in words.
pub fn faults(versions: &[Version]) -> Vec<Diagnostic> {
    versions.iter().filter(|version| version.state.is_fault()).map(fault).collect()
}

fn fault(version: &Version) -> Diagnostic {
    let number = version.version;
    let when = version.applied.and_then(|row| row.applied_on.as_deref()).unwrap_or("an unknown time");
    let diagnostic = match version.state {
        State::Drifted if version.file.zip(version.applied).is_some_and(|(file, row)| has_wide_version(file, row)) => {
            Diagnostic::error(format!("migration {number} was applied by a refinery with 64-bit versions"))
                .note("its text is what was applied; only its checksum is of another kind")
                .help(format!(
                    "if no such refinery works on this database any more, write it anew: `seedbed repair {number}`"
                ))
        }
        State::Drifted => {
            let name = version.applied.and_then(|row| row.name.as_deref()).unwrap_or("?");
            let renamed = version.file.is_some_and(|file| file.name != name);
            let diagnostic =
                Diagnostic::error(format!("migration {number} is not what was applied")).note(if renamed {
                    format!("it was applied as `{name}` on {when}")
                } else {
                    format!("its text has changed since it was applied on {when}")
                });
            diagnostic.help(format!(
                "restore the file, and write the change as a new migration; or, if the database has the change, accept it: `seedbed repair {number}`"
            ))
        }
        State::Missing => {
            let name = version.applied.and_then(|row| row.name.as_deref()).unwrap_or("?");
            Diagnostic::error(format!(
                "migration {number} `{name}` was applied on {when}, and its file is gone"
            ))
            .help("restore the file, or deploy the version of the project that has it")
        }
        State::OutOfOrder => Diagnostic::error(format!(
            "migration {number} is older than what is applied, and was never applied"
        ))
        .help("give it a version above the newest applied one, or name it `U…` if its order does not matter"),
        _ => Diagnostic::error(format!("the row of version {number} in `{HISTORY}` is damaged"))
            .note("it should have a name, a time, and a checksum that is a number")
            .help(match version.file {
                Some(_) => {
                    format!("if the file is what was applied, write the row anew: `seedbed repair {number}`")
                }
                None => "restore the file, then `seedbed repair`; or mend the row by hand".to_owned(),
            }),
    };
    match version.file {
        Some(file) => diagnostic.at(&file.source, Span::default()),
        None => diagnostic,
    }
}

/// Says that the database is ahead of the files, if it is.
pub fn ahead(versions: &[Version]) -> Option<Diagnostic> {
    let ahead = versions.iter().filter(|version| version.state == State::Ahead);
    let numbers: Vec<String> = ahead.map(|version| version.version.to_string()).collect();
    (!numbers.is_empty()).then(|| {
        Diagnostic::warning(format!(
            "the database is ahead of the files: {} applied here",
            numbers.join(", ")
        ))
        .note("a newer version of the project has migrated it; nothing is pending, so this one may go on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Source;

    /// Two rows of a public dump of a `refinery_schema_history`, and one of our own making, say
    /// how refinery hashes; here the state machine around it is tested.
    #[test]
    fn every_pair_of_file_and_row_has_a_state() {
        let file = |name: &str, text: &str| Migration::parse(Source::new(name, text)).unwrap();
        let files = [
            file("V1__a.sql", "select 1"),
            file("V2__b.sql", "select 2"),
            file("V4__d.sql", "select 4"),
            file("U3__c.sql", "select 3"),
            file("V9__i.sql", "select 9"),
            file("V5__e.sql", "select 5"),
            file("V7__g.sql", "select\r\n7"),
        ];
        let row = |version, name: &str, checksum: Option<u64>| Applied {
            version,
            name: Some(name.to_owned()),
            applied_on: Some("2026-01-01T00:00:00Z".to_owned()),
            checksum: checksum.map(|checksum| checksum.to_string()),
        };
        let rows = [
            row(1, "a", Some(checksum(&files[0]))),
            row(2, "b", Some(7)),
            row(6, "f", Some(1)),
            row(5, "e", None),
            row(7, "g", Some(checksum(&file("V7__g.sql", "select\n7")))),
            row(12, "l", Some(1)),
        ];
        let states: Vec<String> = compare(&files, &rows)
            .iter()
            .map(|version| format!("{} {}", version.version, version.state.word()))
            .collect();
        assert_eq!(
            states,
            [
                "1 applied",
                "2 drifted",
                "3 pending",
                "4 out of order",
                "5 damaged",
                "6 missing",
                "7 applied",
                "9 out of order",
                "12 ahead"
            ]
        );
    }

    #[test]
    fn a_checksum_over_a_64_bit_version_is_told_as_such() {
        let files = [Migration::parse(Source::new("V1__a.sql", "select\r\n1")).unwrap()];
        let row = Applied {
            version: 1,
            name: Some("a".to_owned()),
            applied_on: Some("2026-01-01T00:00:00Z".to_owned()),
            checksum: Some(checksum_of(&files[0], 1_i64, "select\n1").to_string()),
        };
        let faults = faults(&compare(&files, std::slice::from_ref(&row)));
        assert!(faults[0].message.contains("64-bit versions"), "{:?}", faults[0]);
    }

    #[test]
    fn checksums_are_refinery_s() {
        for (stem, text) in [
            ("V1__initial", "create table a (id int);\n"),
            ("U007__größe", "select 'ü';\r\n"),
            ("V2147483647__a__b", ""),
        ] {
            let file = Migration::parse(Source::new(format!("{stem}.sql"), text)).unwrap();
            let own = refinery::Migration::unapplied(stem, text).unwrap();
            assert_eq!(checksum(&file), own.checksum(), "{stem}");
        }
    }
}
