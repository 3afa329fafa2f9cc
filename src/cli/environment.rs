//! The variables a run can see: those of the process, then those of a `.env` file.
//!
//! The file is read by `dotenvy`, with three of its habits kept in check. Its errors quote the line,
//! password included, so only their place is passed on. Outside single quotes it takes `$word` for a
//! variable and puts nothing in its place if there is none, which changes passwords; where it would,
//! the place is kept, for whoever uses the value to refuse it. And it gives a quote that is never
//! closed the rest of the file; here reading goes on with the next line.
//!
//! The file may be another program's: what is wrong with a variable is told by whoever asks for it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Which `.env` file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvFile {
    /// The first one found from the start directory upwards, which need not exist.
    Search,
    /// This one, which must exist.
    At(PathBuf),
    /// None.
    Ignore,
}

/// The variables a run can see. Some of them are passwords: it has no `Debug`.
pub struct Environment {
    process: BTreeMap<String, String>,
    file: Variables,
    file_path: PathBuf,
}

/// What a file sets, and what it tries to set.
#[derive(Default)]
struct Variables {
    entries: BTreeMap<String, Entry>,
    faults: BTreeMap<String, Fault>,
}

/// A variable that cannot be used: the line, and what is wrong with it.
struct Fault {
    line: usize,
    reason: Reason,
}

/// What is wrong with a line.
enum Reason {
    /// It is no variable.
    Unreadable,
    /// It is not UTF-8.
    NotUtf8,
    /// It is none, and the `$` in this column may be why.
    Dollar(usize),
    /// An earlier line sets the same variable.
    Twice(usize),
    /// It is a part of the value whose quotes open on an earlier line.
    Inside(usize),
}

/// A variable in the file.
struct Entry {
    value: String,
    line: usize,
    /// The first `$` that was taken for the beginning of a variable which does not exist, or which
    /// nobody wrote in braces.
    expansion: Option<Position>,
}

/// A place in a `.env` file, counted from 1. The text there may be a password: it is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvPlace {
    /// The file.
    pub path: PathBuf,
    /// The line, if one is to blame.
    pub line: Option<usize>,
    /// The character in the line, if one is to blame.
    pub column: Option<usize>,
}

/// A `.env` file, or a line of it, that cannot be read. It holds nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFileError {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// Where it is.
    pub place: EnvPlace,
    /// The next action.
    pub help: String,
}

impl Environment {
    /// Reads the process's environment and a `.env` file. The process's environment is not changed.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read, or it was named and is not there.
    pub fn load(start: &Path, env_file: &EnvFile) -> Result<Environment, EnvFileError> {
        Environment::read(std::env::vars_os(), start, env_file)
    }

    fn read(
        process: impl IntoIterator<Item = (OsString, OsString)>,
        start: &Path,
        env_file: &EnvFile,
    ) -> Result<Environment, EnvFileError> {
        let as_texts =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let process: BTreeMap<String, String> = process.into_iter().filter_map(as_texts).collect();
        let path = match env_file {
            EnvFile::Search => find(start),
            EnvFile::At(path) => Some(path.clone()),
            EnvFile::Ignore => None,
        };
        let Some(path) = path else {
            return Ok(Environment { process, file: Variables::default(), file_path: PathBuf::new() });
        };
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        Ok(Environment { file: parse(text, &process), process, file_path: path })
    }

    /// The environment of a process with the given variables, written as a shell would.
    #[cfg(test)]
    pub(super) fn of(process: &str, start: &Path, env_file: &EnvFile) -> Environment {
        let pairs = process.split_whitespace().filter_map(|variable| variable.split_once('='));
        let process = pairs.map(|(name, value)| (name.into(), value.into()));
        Environment::read(process, start, env_file).unwrap()
    }

    /// The value of a variable, in the process before the file.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.process.get(name).map(String::as_str).or_else(|| self.in_file(name))
    }

    /// The value of a variable in the process.
    pub fn in_process(&self, name: &str) -> Option<&str> {
        self.process.get(name).map(String::as_str)
    }

    /// The value of a variable in the file.
    pub fn in_file(&self, name: &str) -> Option<&str> {
        self.file.entries.get(name).map(|entry| entry.value.as_str())
    }

    /// Why the file's value of a variable cannot be used, if it tries to set it.
    pub fn fault(&self, name: &str) -> Option<EnvFileError> {
        let Fault { line, reason } = self.file.faults.get(name)?;
        let quotes = "put the value in single quotes: `NAME='value'`";
        let (message, column, help) = match reason {
            Reason::Unreadable => ("this line is no variable that can be read".to_owned(), None, quotes),
            Reason::NotUtf8 => ("this line is not UTF-8".to_owned(), None, "save the file as UTF-8"),
            Reason::Dollar(column) => {
                ("a `$` is taken for the beginning of a variable".to_owned(), Some(*column), quotes)
            }
            Reason::Twice(first) => {
                (format!("`{name}` is set twice, on line {first} and here"), None, "keep one of the two")
            }
            Reason::Inside(opening) => (
                format!("this line is inside of the quotes that open on line {opening}"),
                None,
                "close the quotes before it, or remove them",
            ),
        };
        let place = EnvPlace { path: self.file_path.clone(), line: Some(*line), column };
        Some(EnvFileError { message, place, help: help.to_owned() })
    }

    /// Where the file sets a variable.
    pub fn place(&self, name: &str) -> Option<EnvPlace> {
        let entry = self.file.entries.get(name)?;
        Some(EnvPlace { path: self.file_path.clone(), line: Some(entry.line), column: None })
    }

    /// Where the file's value of a variable has a `$` that took a part of it away.
    pub fn expansion(&self, name: &str) -> Option<EnvPlace> {
        let (line, column) = self.file.entries.get(name)?.expansion?;
        Some(EnvPlace { path: self.file_path.clone(), line: Some(line), column: Some(column) })
    }
}

fn find(start: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    start.ancestors().map(|directory| directory.join(".env")).find(|path| path.is_file())
}

fn unreadable(path: &Path, error: &io::Error) -> EnvFileError {
    let (reason, help) = match error.kind() {
        io::ErrorKind::NotFound => ("it does not exist".to_owned(), "correct its path"),
        kind => (kind.to_string(), "make it readable, or remove it"),
    };
    EnvFileError {
        message: format!("the file cannot be read: {reason}"),
        place: EnvPlace { path: path.to_owned(), line: None, column: None },
        help: help.to_owned(),
    }
}

/// A line and a column, counted from 1.
type Position = (usize, usize);

/// The variables of a file.
///
/// Behind a line that is no variable, reading goes on with the next one. Where a `$` ends a
/// double-quoted value, the closing quote is lost, so a `$` in such a line may be why.
fn parse(text: &[u8], process: &BTreeMap<String, String>) -> Variables {
    let raw_lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let lines: Vec<String> = raw_lines.iter().map(|line| shown_line(line)).collect();
    let count = Cell::new(0);
    let mut variables = dotenvy::from_read_iter(LineByLine { lines: &raw_lines, rest: b"", count: &count });
    let mut found = Variables::default();
    let mut inside = Vec::new();
    loop {
        let first = first_line(&lines, count.get());
        let Some(variable) = variables.next() else { break };
        let line = first + 1;
        let is_known = |name: &str| process.contains_key(name) || found.entries.contains_key(name);
        let Ok((name, value)) = variable else {
            // One line is given up, and not all that a quote in it may have taken with it.
            count.set(line);
            let Some(raw) = lines.get(first) else { break };
            let reason = match unwanted_expansion(raw, is_known) {
                _ if raw_lines.get(first).is_some_and(|line| std::str::from_utf8(line).is_err()) => {
                    Reason::NotUtf8
                }
                Some(at) => Reason::Dollar(position(raw, at).1),
                None => Reason::Unreadable,
            };
            if let Some(name) = assigned(raw) {
                found.faults.entry(name.to_owned()).or_insert(Fault { line, reason });
            }
            continue;
        };
        let raw = lines.get(first..count.get()).unwrap_or_default();
        let swallowed =
            raw.iter().enumerate().skip(1).filter_map(|(below, text)| Some((assigned(text)?, below)));
        inside.extend(swallowed.map(|(name, below)| {
            (name.to_owned(), Fault { line: line + below, reason: Reason::Inside(line) })
        }));
        let raw = raw.join("\n");
        let expansion = unwanted_expansion(&raw, is_known)
            .map(|at| position(&raw, at))
            .map(|(line, column)| (first + line, column));
        match found.entries.get(&name) {
            Some(earlier) => {
                let reason = Reason::Twice(earlier.line);
                found.faults.entry(name).or_insert(Fault { line, reason });
            }
            None => {
                found.entries.insert(name, Entry { value, line, expansion });
            }
        }
    }
    for (name, fault) in inside.into_iter().filter(|(name, _)| !found.entries.contains_key(name)) {
        found.faults.entry(name).or_insert(fault);
    }
    found
}

/// A line without its end, as far as it is text.
fn shown_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// The name of the variable that a line sets, or means to set.
fn assigned(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let is_set = rest.trim().is_empty() || rest.trim_start().starts_with(['=', ':']);
    (!name.is_empty() && is_set).then_some(name)
}

fn position(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The line at which the next variable begins.
fn first_line(lines: &[String], from: usize) -> usize {
    let is_blank = |line: &&String| line.trim().is_empty() || line.trim_start().starts_with('#');
    from + lines.get(from..).unwrap_or_default().iter().take_while(is_blank).count()
}

/// Hands out one line at a time, so that how many were read tells where a variable ends (it may end
/// some lines below its beginning, and only `dotenvy` knows where), and so that it can go on elsewhere.
struct LineByLine<'a> {
    lines: &'a [&'a [u8]],
    rest: &'a [u8],
    count: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty()
            && let Some(line) = self.lines.get(self.count.get())
        {
            self.rest = line;
            self.count.set(self.count.get() + 1);
        }
        self.rest.read(buffer)
    }
}

/// Where the first `$` is that `dotenvy` expands and that nobody can have meant: any but those of
/// `${NAME}` with the name of a variable that exists.
fn unwanted_expansion(raw: &str, is_known: impl Fn(&str) -> bool) -> Option<usize> {
    let value_start = raw.find('=')? + 1;
    let value = raw.get(value_start..)?;
    let value_start = raw.len() - value.trim_start().len();
    let mut quote = None;
    let mut before = None;
    let mut characters = raw.get(value_start..)?.char_indices();
    while let Some((at, character)) = characters.next() {
        match (character, quote) {
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            (_, Some('\'')) => {}
            ('\\', _) => {
                characters.next();
            }
            ('$', _) => {
                let at = value_start + at;
                let name = raw.get(at + 1..).and_then(|rest| rest.strip_prefix('{'));
                let name = name.and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
                if !name.is_some_and(&is_known) {
                    return Some(at);
                }
            }
            ('\'' | '"', None) => quote = Some(character),
            ('#', None) if matches!(before, Some(' ' | '\t')) => return None,
            _ => {}
        }
        before = Some(character);
    }
    None
}

impl fmt::Display for EnvPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(formatter, ":{number}")?;
        }
        Ok(())
    }
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}; {}", self.place, self.message, self.help)
    }
}

impl std::error::Error for EnvFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_dotenvy_reads_in_it() {
        check("A=1\nB='2'\n", "A=1@1 B=2@2");
        check("\u{feff}A=1", "A=1@1");
        check("# A=0\r\n\r\n  export A=1\r\n#\nB=2\r\n", "A=1@3 B=2@5");
        check("A='x\ny'\n\nB=1\n", "A=x\ny@1 B=1@4");
        check("A=1 # b\nB=x#y\n", "A=1@1 B=x#y@2");
        check("A=\n", "A=@1");
        check("", "");
        check("\n# nothing\n", "");
    }

    #[test]
    fn a_dollar_that_takes_something_away_has_its_place() {
        check("A='pa$word'", "A=pa$word@1");
        check("A=pa\\$word", "A=pa$word@1");
        check("A=\"pa\\$word\"", "A=pa$word@1");
        check("A=pa$word", "A=pa@1 !1:5");
        check("\n\n  A=\"ü$word-\"", "A=ü-@3 !3:7");
        check("A=x$", "A=x@1 !1:4");
        check("A='x\ny'\"\nz$w-\"", "A=x\ny\nz-@1 !3:2");
        check("A='a'$w'$b'", "A=a''@1 !1:6");
        check("A=1 # $w", "A=1@1");
        check("B=1\nA=x${B}", "A=x1@2 B=1@1");
        check("A=x${P}", "A=x@1 !1:4");
        check("A=x${B}\nB=1", "A=x@1 !1:4 B=1@2");
        check("B=1\nA=${B}$B", "A=11@2 !2:7 B=1@1");
        check("B=1\nA=$B", "A=1@2 !2:3 B=1@1");
    }

    #[test]
    fn a_line_that_is_no_variable_takes_no_other_with_it() {
        check("it's all\nA=1\n", "A=1@2");
        check("A=1\nX=it's\nB=2\n", "A=1@1 B=2@3");
        check("A='x\ny'\nX=it's\nB=1\nY=\"\n", "A=x\ny@1 B=1@4");
        check("X=a b c\n\n1A=\nA=1\nX=\\d\nB=${A}", "A=1@4 B=1@6");
        check("A=\"x$y\"\nB=1", "B=1@2");
    }

    /// Names, values, lines, and after `!` the place of a `$`.
    fn check(text: &str, expected: &str) {
        let text = text.trim_start_matches('\u{feff}');
        let variables = parse(text.as_bytes(), &BTreeMap::new());
        let described = variables.entries.iter().map(|(name, entry)| {
            let at = entry.expansion.map(|(line, column)| format!(" !{line}:{column}"));
            format!("{name}={}@{}{}", entry.value, entry.line, at.unwrap_or_default())
        });
        assert_eq!(described.collect::<Vec<_>>().join(" "), expected, "{text}");
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_found_and_not_quoted() {
        let check = |text: &[u8], expected: &str| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(".env");
            std::fs::write(&path, text).unwrap();
            let environment = Environment::read([], directory.path(), &EnvFile::Search).unwrap();
            let fault = environment.fault("V").map(|fault| format!("{fault} {fault:?}")).unwrap_or_default();
            let fault = fault.replace(&path.display().to_string(), "");
            assert!(fault.starts_with(expected), "{fault}");
            assert_eq!(fault.is_empty(), expected.is_empty(), "{fault}");
            assert!(!fault.contains("canary"), "{fault}");
        };
        check(
            b"V=\"canary",
            ":1: this line is no variable that can be read; put the value in single quotes: `NAME='value'`",
        );
        check(b"A=1\n\n# x\nV='canary\n\n\n", ":4: this line");
        check(b"V=\"canary\nB='x$y'\n", ":1: this line is no variable");
        check(b"A=1\nV\nB=2", ":2: this line");
        check(b"A=1\n  export V: canary\nB=2", ":2: this line");
        check(b"A=1\nV=host=h password=canary\n", ":2: this line");
        check(b"V=canary\\d\n", ":1: this line");
        check(b"\nV=\"canary$word\"\n", ":2:10: a `$` is taken for the beginning of a variable; put the");
        check(b"A=1\n\nV=canary\xff", ":3: this line is not UTF-8; save the file as UTF-8");
        check(b"V=1\nA=2\nV=canary\n", ":3: `V` is set twice, on line 1 and here; keep one of the two");
        check(b"V=1\nV='canary\n", ":2: this line is no variable");
        check(
            b"A=it's\nV=canary\nB=that's\n",
            ":2: this line is inside of the quotes that open on line 1; close",
        );
        check(b"A='a\nV=canary\n'\nV=1\n", "");
        check(b"canary\xff\nA=\"canary\nV=1\n", "");
        check(b"V is set elsewhere\n1V=canary\nVV=canary\\d\n", "");
    }

    #[test]
    fn the_file_is_found_upwards_and_the_process_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        // A directory of that name is somebody's Python.
        std::fs::create_dir_all(below.join(".env")).unwrap();
        std::fs::write(directory.path().join(".env"), "A=file\nB=file\n").unwrap();
        std::fs::write(directory.path().join("a/other"), "B=other\n").unwrap();
        let process = [("A".into(), "process".into()), ("C".into(), "process".into())];
        let check = |env_file: EnvFile, expected: [Option<&str>; 3]| {
            let environment = Environment::read(process.clone(), &below, &env_file).unwrap();
            assert_eq!(["A", "B", "C"].map(|name| environment.get(name)), expected);
        };
        let process = Some("process");
        check(EnvFile::Search, [process, Some("file"), process]);
        check(EnvFile::Ignore, [process, None, process]);
        check(EnvFile::At(directory.path().join("a/other")), [process, Some("other"), process]);
    }

    #[test]
    fn a_named_file_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings");
        let missing = Environment::read([], directory.path(), &EnvFile::At(path)).err().unwrap().to_string();
        assert!(missing.ends_with("it does not exist; correct its path"), "{missing}");
    }
}
