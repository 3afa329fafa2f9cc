//! Outside: what a project is told that stands in none of its YAML and SQL. The run's time, variables of the
//! environment, and the contents of files that its rows name.
//!
//! The time and the variables are handed in, so that one project means the same wherever it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::diagnostic::Diagnostic;
use super::load;
use super::source::{Place, Source, Span};
use super::yaml::{Content, Entry, Node};

/// Looks a variable up: its value if it is set, or why it cannot be used.
pub type Variables = Arc<dyn Fn(&str) -> Result<Option<String>, String> + Send + Sync>;

/// What a project is told from outside. Variables may be secrets: its `Debug` shows nothing.
#[derive(Clone)]
pub struct Outside {
    /// The time of the run, as in RFC 3339.
    pub now: Arc<str>,
    /// The variables.
    pub variables: Variables,
    /// The project's directory, which no named file is outside of.
    pub directory: PathBuf,
    /// By the file that names them, and the name: what named files hold.
    files: BTreeMap<(String, String), Vec<u8>>,
}

impl Default for Outside {
    /// The time as it is, and no variables.
    fn default() -> Outside {
        Outside {
            now: humantime::format_rfc3339_micros(SystemTime::now()).to_string().into(),
            variables: Arc::new(|_| Ok(None)),
            directory: PathBuf::new(),
            files: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outside").finish_non_exhaustive()
    }
}

impl Outside {
    /// The same for a project in this directory.
    pub fn of(directory: PathBuf) -> Outside {
        Outside { directory, ..Outside::default() }
    }

    /// The value of a variable, which must be there and not be empty: a secret that a CI system does not
    /// hand out is often an empty text.
    pub fn variable(&self, name: &str, place: Place) -> Result<String, Diagnostic> {
        let (message, note) = match (self.variables)(name) {
            Ok(Some(value)) if !value.is_empty() => return Ok(value),
            Ok(Some(_)) => (format!("the variable `{name}` is empty"), None),
            Ok(None) => (format!("there is no variable `{name}` in the environment"), None),
            Err(reason) => (format!("the variable `{name}` cannot be used"), Some(reason)),
        };
        let problem = Diagnostic::error(message).at_place(place);
        Err(match note {
            Some(note) => problem.note(note),
            None => problem.help(format!("set it, or write it into `.env`: `{name}='…'`")),
        })
    }

    /// What a file holds that is named in a source; nothing if it was not read.
    pub fn file(&self, source: &Source, name: &str) -> Option<&[u8]> {
        self.files.get(&(source.path.clone(), name.to_owned())).map(Vec::as_slice)
    }

    /// Reads the files that cells name, and notes those that cannot be read.
    pub fn read_files(&mut self, source: &Arc<Source>, cells: &[Entry], problems: &mut Vec<Diagnostic>) {
        for (name, span) in named(cells, "$file") {
            let key = (source.path.clone(), name.to_owned());
            if self.files.contains_key(&key) {
                continue;
            }
            match load::read_beside(&self.directory, source, name) {
                Ok(bytes) => drop(self.files.insert(key, bytes)),
                Err(problem) => problems.push(problem.at(source, span)),
            }
        }
    }

    /// Notes the variables that cells name and that cannot be used.
    pub fn check_variables(&self, source: &Arc<Source>, cells: &[Entry], problems: &mut Vec<Diagnostic>) {
        for (name, span) in named(cells, "$env") {
            problems.extend(self.variable(name, Place::new(source, span)).err());
        }
    }
}

/// What instructions of one kind name in some cells, with its place.
fn named<'a>(cells: &'a [Entry], word: &str) -> Vec<(&'a str, Span)> {
    fn within<'a>(node: &'a Node, word: &str, found: &mut Vec<(&'a str, Span)>) {
        let Content::Map(entries) = &node.content else { return };
        for entry in entries {
            match &entry.value.content {
                Content::Scalar(text, _) if entry.key == word => found.push((text, entry.value.span)),
                _ => within(&entry.value, word, found),
            }
        }
    }
    let mut found = Vec::new();
    cells.iter().for_each(|cell| within(&cell.value, word, &mut found));
    found
}
