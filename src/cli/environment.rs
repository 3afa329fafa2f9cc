//! Variables of the process and of a `.env` file: the only file that knows `dotenvy`.
//!
//! The process's own variables win. The file's are read, not set: nothing else of this process or
//! of its children sees them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::project::diagnostic::Diagnostic;
use crate::project::load;
use crate::project::source::{Source, Span};

/// The most a `.env` file may weigh.
const BYTES_MAX: u64 = 1 << 20;

/// Where variables are looked up.
#[derive(Default)]
pub struct Environment {
    file: HashMap<String, String>,
}

impl Environment {
    /// Reads the file named, or the nearest `.env` in a directory or above it, if there is one.
    pub fn load(directory: &Path, named: Option<&Path>) -> Result<Environment, Diagnostic> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => match nearest(directory) {
                Some(path) => path,
                None => return Ok(Environment::default()),
            },
        };
        let text = load::read_text(&path, BYTES_MAX)?;
        let shown = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
        let source = Source::new(shown, text);
        refuse_dollars(&source)?;
        let mut file = HashMap::new();
        for item in dotenvy::from_read_iter(source.text.as_bytes()) {
            // The crate's own words quote the line, with whatever secret it holds.
            let (name, value) = item.map_err(|_| unreadable(&source))?;
            file.entry(name).or_insert(value);
        }
        Ok(Environment { file })
    }

    /// The value of a variable. An empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<String> {
        let own = std::env::var(name).ok();
        own.or_else(|| self.file.get(name).cloned()).filter(|value| !value.is_empty())
    }
}

fn nearest(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    let found = directory.ancestors().map(|ancestor| ancestor.join(".env")).find(|path| path.is_file())?;
    // A file of the current directory is shown by its name alone.
    let here = std::env::current_dir().ok()?;
    Some(found.strip_prefix(&here).map_or(found.clone(), Path::to_path_buf))
}

/// The crate expands `$name` in unquoted and double-quoted values, and an unknown name to nothing:
/// `pa$word` silently becomes `pa`. In a connection variable that is never meant.
fn refuse_dollars(source: &Source) -> Result<(), Diagnostic> {
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let here = start;
        start += line.len();
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim().strip_prefix("export ").unwrap_or(name.trim()).trim();
        if !is_connection(name) || value.trim_start().starts_with('\'') {
            continue;
        }
        let dollar = value.match_indices('$').map(|(at, _)| at).find(|at| !value[..*at].ends_with('\\'));
        if let Some(at) = dollar {
            let offset = here + line.len() - value.len() + at;
            let (number, column) = source.line_column(offset);
            return Err(hidden(
                source,
                number,
                Some(column),
                format!("`$` in the value of {name} begins a variable's name"),
            )
            .help("put the value in single quotes, which keep it as it is"));
        }
    }
    Ok(())
}

fn is_connection(name: &str) -> bool {
    matches!(name, "CONNECTION_STRING" | "DATABASE_URL") || name.starts_with("PG")
}

/// The first line that the crate cannot read.
fn unreadable(source: &Source) -> Diagnostic {
    let lines = source.text.lines().count();
    let fails = |count: &usize| {
        let head: Vec<&str> = source.text.lines().take(*count).collect();
        dotenvy::from_read_iter(head.join("\n").as_bytes()).any(|item| item.is_err())
    };
    let number = (1..=lines).find(fails).unwrap_or(1);
    hidden(source, number, None, "this line is no `NAME=value`".to_owned())
        .help("check its quotes; a value with spaces or `#` needs them")
}

/// A problem at a line that is not shown, because it may hold a secret.
fn hidden(source: &Source, line: usize, column: Option<usize>, message: String) -> Diagnostic {
    let place = match column {
        Some(column) => format!("{}:{line}:{column}", source.path),
        None => format!("{}:{line}", source.path),
    };
    Diagnostic::error(message).at(&Source::new(place, ""), Span::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.env");
        std::fs::write(&path, text).unwrap();
        let actual = match Environment::load(directory.path(), Some(&path)) {
            Ok(environment) => environment.get("CONNECTION_STRING").unwrap_or("nothing".to_owned()),
            Err(problem) => {
                format!("{}{}", problem.message, problem.render(false).replace("s3cret", "LEAKED"))
            }
        };
        assert!(actual.contains(expected) && !actual.contains("LEAKED"), "{text}: {actual}");
    }

    #[test]
    fn values_arrive_as_written_or_not_at_all() {
        check("CONNECTION_STRING=postgres://u:p@h/d\n", "postgres://u:p@h/d");
        check("export CONNECTION_STRING='postgres://u:pa$word@h/d' # c\n", "postgres://u:pa$word@h/d");
        check("A=1\nCONNECTION_STRING=postgres://u:s3cret$x@h/d\n", "test.env:2:38");
        check("CONNECTION_STRING=\"postgres://u:s3cret$x@h/d\"\n", "put the value in single quotes");
        check("A=$B\nCONNECTION_STRING=x\n", "x");
        check("A=1\n\nCONNECTION_STRING=\"postgres://u:s3cret@h\n", "test.env:3");
        check("CONNECTION_STRING=\n", "nothing");
        check("OTHER=1\n", "nothing");
    }
}
