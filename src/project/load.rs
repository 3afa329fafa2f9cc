//! The project's directory: the only place that reads files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::source::{Source, Span};

/// The most a YAML file may weigh.
const YAML_BYTES_MAX: u64 = 8 << 20;
/// The most a migration may weigh.
const SQL_BYTES_MAX: u64 = 64 << 20;

/// The files of a project, by directory and in the order of their paths.
#[derive(Debug, Default)]
pub struct Files {
    /// `migrations/**/*.sql`, whatever the case of the extension.
    pub migrations: Vec<Arc<Source>>,
    /// `fixtures/**/*.yaml`
    pub fixtures: Vec<Arc<Source>>,
    /// `scenarios/**/*.yaml`
    pub scenarios: Vec<Arc<Source>>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
}

/// Reads the three directories of a project. A directory that is missing holds nothing; a
/// directory or file that cannot be read is a problem.
pub fn load(directory: &Path) -> Files {
    let mut files = Files::default();
    if !directory.is_dir() {
        files.problems.push(
            Diagnostic::error(format!("`{}` is no directory", directory.display()))
                .help("name the project's directory with --dir"),
        );
        return files;
    }
    let mut problems = Vec::new();
    let mut read = |folder: &str, extensions: &[&str], bytes_max: u64| {
        let mut paths = Vec::new();
        walk(&directory.join(folder), extensions, &mut paths, &mut problems);
        paths.sort();
        let sources = paths.iter().filter_map(|path| match read_text(path, bytes_max) {
            // A migration's bytes are its checksum: its byte order mark is refused, not removed.
            Ok(text) if folder == "migrations" => Some(Source::new(shown(path), text)),
            Ok(text) => Some(Source::new(shown(path), text.trim_start_matches('\u{feff}'))),
            Err(problem) => {
                problems.push(problem);
                None
            }
        });
        sources.collect::<Vec<_>>()
    };
    files.migrations = read("migrations", &["sql"], SQL_BYTES_MAX);
    files.fixtures = read("fixtures", &["yaml", "yml"], YAML_BYTES_MAX);
    files.scenarios = read("scenarios", &["yaml", "yml"], YAML_BYTES_MAX);
    let found = files.migrations.len() + files.fixtures.len() + files.scenarios.len();
    if found == 0 && problems.is_empty() {
        problems.push(
            Diagnostic::error(format!(
                "`{}` holds no migrations, fixtures or scenarios",
                directory.display()
            ))
            .help("name the project's directory with --dir, or begin with `seedbed new migration NAME`"),
        );
    }
    files.problems = problems;
    files
}

/// The text of one file; a problem at its place if it is not UTF-8, too large, or cannot be read.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, Diagnostic> {
    let file = shown(path);
    let cannot = |error: std::io::Error| Diagnostic::error(format!("cannot read `{file}`: {error}"));
    let opened = std::fs::File::open(path).map_err(cannot)?;
    if !opened.metadata().map_err(cannot)?.is_file() {
        return Err(Diagnostic::error(format!("`{file}` is no regular file")));
    }
    let mut bytes = Vec::new();
    opened.take(bytes_max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Diagnostic::error(format!("`{file}` is larger than {} MiB", bytes_max >> 20)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let shown_text = Source::new(file.clone(), text);
            Err(Diagnostic::error(format!("`{file}` is not UTF-8"))
                .at(&shown_text, Span::new(valid, valid + '\u{fffd}'.len_utf8()))
                .help("save the file as UTF-8"))
        }
    }
}

fn walk(directory: &Path, extensions: &[&str], paths: &mut Vec<PathBuf>, problems: &mut Vec<Diagnostic>) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            problems.push(Diagnostic::error(format!("cannot read `{}`: {error}", shown(directory))));
            return;
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_name().to_string_lossy().starts_with('.') => {}
            Ok(entry) if entry.path().is_dir() => walk(&entry.path(), extensions, paths, problems),
            Ok(entry) => {
                let extension = entry.path().extension().map(|it| it.to_string_lossy().to_lowercase());
                if extension.is_some_and(|extension| extensions.contains(&extension.as_str())) {
                    paths.push(entry.path());
                }
            }
            Err(error) => {
                problems.push(Diagnostic::error(format!("cannot read `{}`: {error}", shown(directory))));
            }
        }
    }
}

/// A path as messages show it: as short as the author would type it.
fn shown(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}
