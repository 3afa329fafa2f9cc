//! The project's directory: the only place that reads files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bulk::{self, Bulk};
use super::diagnostic::Diagnostic;
use super::migration::Migration;
use super::source::{Source, Span};

/// The most a YAML file may weigh.
pub const YAML_BYTES_MAX: u64 = 32 << 20;
/// The most a file may weigh that a row names.
const NAMED_BYTES_MAX: u64 = 16 << 20;
/// The most a migration may weigh.
const SQL_BYTES_MAX: u64 = 64 << 20;

/// The files of a project, by directory and in the order of their paths.
#[derive(Debug, Default)]
pub struct Files {
    /// `migrations/**/*.sql`, whatever the case of the extension.
    pub migrations: Vec<Arc<Source>>,
    /// `fixtures/**/*.yaml`, without those of environments.
    pub fixtures: Vec<Arc<Source>>,
    /// `fixtures/**/*.csv` and their like, of which the first line was read.
    pub bulk: Vec<Arc<Bulk>>,
    /// By environment, its own fixtures.
    pub overlays: BTreeMap<String, Overlay>,
    /// `scenarios/**/*.yaml`
    pub scenarios: Vec<Arc<Source>>,
    /// Where they are.
    pub directory: PathBuf,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
}

impl Files {
    /// Whether every migration has a name that refinery understands, and a version of its own.
    pub fn have_sound_names(&self) -> bool {
        let mut versions = HashSet::new();
        let mut migrations = self.migrations.iter().map(|source| Migration::parse(source.clone()));
        migrations.all(|parsed| parsed.is_ok_and(|migration| versions.insert(migration.version)))
    }
}

/// The fixtures of one environment.
#[derive(Debug, Default)]
pub struct Overlay {
    /// `fixtures/NAME/**/*.yaml`
    pub fixtures: Vec<Arc<Source>>,
    /// `fixtures/NAME/**/*.csv` and their like.
    pub bulk: Vec<Arc<Bulk>>,
}

/// Reads the three directories of a project. A directory that is missing holds nothing; a
/// directory or file that cannot be read is a problem.
pub fn load(directory: &Path) -> Files {
    let mut files = Files { directory: directory.to_owned(), ..Files::default() };
    if !directory.is_dir() {
        files.problems.push(
            Diagnostic::error(format!("`{}` is no directory", directory.display()))
                .help("name the project's directory with --dir"),
        );
        return files;
    }
    let mut problems = Vec::new();
    let walk = |folder: &str, endings: &[&str], problems: &mut Vec<Diagnostic>| {
        let mut paths = Vec::new();
        let above = Vec::new();
        Walk { endings, paths: &mut paths, problems, above }.directory(&directory.join(folder));
        paths.sort();
        paths
    };
    for path in walk("fixtures", bulk::ENDINGS, &mut Vec::new()) {
        // One that cannot be read is there all the same: a fixture that names it is right.
        let bulk = Bulk::open(&path, shown(&path)).unwrap_or_else(|problem| {
            problems.push(problem);
            Bulk::written(shown(&path), Vec::new(), Vec::new())
        });
        files.bulk.push(Arc::new(bulk));
    }
    let mut read = |folder: &str, endings: &[&str], bytes_max: u64| {
        let paths = walk(folder, endings, &mut problems);
        let sources = paths.iter().filter_map(|path| match read_text(path, bytes_max) {
            // A migration's bytes are its checksum: its byte order mark is refused, not removed.
            Ok(text) if folder == "migrations" => Some(Source::new(shown(path), text)),
            Ok(text) => Some(Source::new(shown(path), understood(&text))),
            Err(problem) => {
                problems.push(problem);
                None
            }
        });
        sources.collect::<Vec<_>>()
    };
    files.migrations = read("migrations", &[".sql"], SQL_BYTES_MAX);
    files.fixtures = read("fixtures", &[".yaml", ".yml"], YAML_BYTES_MAX);
    files.scenarios = read("scenarios", &[".yaml", ".yml"], YAML_BYTES_MAX);
    let found = files.migrations.len() + files.fixtures.len() + files.bulk.len() + files.scenarios.len();
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
    files.take_overlays(&shown(&directory.join("fixtures")));
    files
}

impl Files {
    /// Takes out the fixtures of environments. A directory right below `fixtures/` is an environment's when
    /// a file in it has the name of one that stands in `fixtures/` itself: then all that is in it belongs to
    /// the environment.
    fn take_overlays(&mut self, folder: &str) {
        let below = |path: &str| {
            let path = path.strip_prefix(folder)?.strip_prefix('/')?;
            path.split_once('/').map(|(directory, _)| directory.to_owned())
        };
        let written = self.fixtures.iter().map(|source| (below(&source.path), source.stem().to_owned()));
        let copied = self.bulk.iter().map(|bulk| (below(&bulk.path), bulk.stem().to_owned()));
        let all: Vec<(Option<String>, String)> = written.chain(copied).collect();
        let base: BTreeSet<&str> =
            all.iter().filter(|(directory, _)| directory.is_none()).map(|(_, name)| name.as_str()).collect();
        for (directory, name) in &all {
            if let Some(directory) = directory.as_ref().filter(|_| base.contains(name.as_str())) {
                self.overlays.entry(directory.clone()).or_default();
            }
        }
        for (name, overlay) in &mut self.overlays {
            let is_its_own = |path: &str| below(path).as_ref() == Some(name);
            overlay.fixtures = self.fixtures.extract_if(.., |it| is_its_own(&it.path)).collect();
            overlay.bulk = self.bulk.extract_if(.., |it| is_its_own(&it.path)).collect();
        }
    }
}

/// The bytes of a file that is named in a source, by its path from there. It is not outside of the project's
/// directory, wherever links may lead.
pub fn read_beside(project: &Path, source: &Source, name: &str) -> Result<Vec<u8>, Diagnostic> {
    let path = Path::new(&source.path).parent().unwrap_or(Path::new("")).join(name);
    let cannot = |error: std::io::Error| {
        Diagnostic::error(format!("cannot read `{}`: {error}", shown(&path)))
            .help(format!("name a file by its path from `{}`", source.path))
    };
    let inside = project.canonicalize().map_err(cannot)?;
    if !path.canonicalize().map_err(cannot)?.starts_with(inside) {
        return Err(Diagnostic::error(format!("`{name}` is outside of the project's directory"))
            .help("put the file beside the one that names it"));
    }
    read_bytes(&path, NAMED_BYTES_MAX)
}

/// The text of one file; a problem at its place if it is not UTF-8, too large, or cannot be read.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, Diagnostic> {
    let file = shown(path);
    let bytes = read_bytes(path, bytes_max)?;
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

fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Diagnostic> {
    let file = shown(path);
    let cannot = |error: std::io::Error| Diagnostic::error(format!("cannot read `{file}`: {error}"));
    // Asked before it is opened, since opening a pipe waits for somebody to write into it.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err(Diagnostic::error(format!("`{file}` is no regular file"))
            .help("remove it, or write its text into a file"));
    }
    let opened = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    opened.take(bytes_max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Diagnostic::error(format!("`{file}` is larger than {} MiB", bytes_max >> 20)));
    }
    Ok(bytes)
}

/// The text of a YAML file as it is read: without a byte order mark, which is all that is left out.
pub fn understood(text: &str) -> String {
    with_newlines(text.trim_start_matches('\u{feff}'))
}

/// YAML takes a lone `\r` for the end of a line; so that everybody counts the same lines, it becomes one.
fn with_newlines(text: &str) -> String {
    let mut rest = text;
    let mut lines = String::with_capacity(text.len());
    while let Some(at) = rest.find('\r') {
        lines.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        lines.push(if rest.starts_with('\n') { '\r' } else { '\n' });
    }
    lines + rest
}

/// A walk through a directory and what is below it.
struct Walk<'a> {
    endings: &'a [&'a str],
    paths: &'a mut Vec<PathBuf>,
    problems: &'a mut Vec<Diagnostic>,
    /// The directories it is in at the moment, as they are really called.
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path) {
        let real = match directory.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.cannot_read(directory, &error),
        };
        if self.above.iter().any(|above| above.starts_with(&real)) {
            self.problems.push(
                Diagnostic::error(format!("`{}` leads back to a directory it is in", shown(directory)))
                    .help("remove the link, or let it lead elsewhere"),
            );
            return;
        }
        self.above.push(real);
        match std::fs::read_dir(directory) {
            Ok(entries) => entries.for_each(|entry| match entry {
                Ok(entry) => self.entry(&entry),
                Err(error) => self.cannot_read(directory, &error),
            }),
            Err(error) => self.cannot_read(directory, &error),
        }
        self.above.pop();
    }

    fn entry(&mut self, entry: &std::fs::DirEntry) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            return;
        }
        if path.is_dir() {
            return self.directory(&path);
        }
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if self.endings.iter().any(|ending| name.ends_with(ending)) {
            self.paths.push(path);
        }
    }

    fn cannot_read(&mut self, directory: &Path, error: &std::io::Error) {
        self.problems.push(Diagnostic::error(format!("cannot read `{}`: {error}", shown(directory))));
    }
}

/// A path as messages show it: as short as the author would type it.
fn shown(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_carriage_returns_become_newlines() {
        let check = |text: &str, expected: &str| assert_eq!(with_newlines(text), expected);
        check("a\rb\r\nc\n\r", "a\nb\r\nc\n\n");
        check("a\r\r\n", "a\n\r\n");
        check("a", "a");
    }

    #[test]
    fn a_directory_with_a_fixture_s_name_in_it_is_an_environment_s() {
        let paths = [
            "a/fixtures/prod/sub/new",
            "a/fixtures/prod/users",
            "a/fixtures/shop/users2",
            "a/fixtures/users",
        ];
        let fixtures = paths.map(|path| Source::new(format!("{path}.yaml"), "")).to_vec();
        let mut files = Files { fixtures, ..Files::default() };
        files.take_overlays("a/fixtures");
        let names = format!("{:?}", files.fixtures);
        assert_eq!(names, "[Source(a/fixtures/shop/users2.yaml), Source(a/fixtures/users.yaml)]");
        let names = format!("{:?}", files.overlays["prod"].fixtures);
        assert_eq!(names, "[Source(a/fixtures/prod/sub/new.yaml), Source(a/fixtures/prod/users.yaml)]");
        assert_eq!(files.overlays.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_file_is_inside_of_the_project_and_not_too_large() {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("project");
        std::fs::create_dir_all(project.join("fixtures")).unwrap();
        std::fs::write(directory.path().join("secret"), "canary").unwrap();
        std::fs::write(project.join("inside"), "x").unwrap();
        let large = std::fs::File::create(project.join("large")).unwrap();
        large.set_len(NAMED_BYTES_MAX + 1).unwrap();
        std::os::unix::fs::symlink("../../secret", project.join("fixtures/link")).unwrap();
        let source = Source::new(project.join("fixtures/t.yaml").to_string_lossy(), "");
        let check = |name: &str, expected: Result<&str, &str>| {
            let read = read_beside(&project, &source, name).map_err(|problem| problem.message);
            let read = read.as_deref().map_err(|message| message.rsplit('/').next().unwrap());
            assert_eq!(read, expected.map(str::as_bytes), "{name}");
        };
        check("../inside", Ok("x"));
        check("../../secret", Err("secret` is outside of the project's directory"));
        check("link", Err("`link` is outside of the project's directory"));
        check("/etc/passwd", Err("passwd` is outside of the project's directory"));
        check("../fixtures", Err("fixtures` is no regular file"));
        check("../large", Err("large` is larger than 16 MiB"));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_circles_end_nobody_s_patience() {
        let directory = tempfile::tempdir().unwrap();
        let fixtures = directory.path().join("fixtures");
        std::fs::create_dir_all(fixtures.join("a")).unwrap();
        std::fs::create_dir_all(directory.path().join("b")).unwrap();
        std::fs::write(directory.path().join("b/shared.yaml"), "- {a: 1}\n").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, fixtures.join(name)).unwrap();
        link("../b", "b");
        link("../../b", "a/b");
        link("..", "a/up");
        link("/", "root");
        link(".", "self");
        link("nowhere", "gone.yaml");
        let mut mkfifo = std::process::Command::new("mkfifo");
        assert!(mkfifo.arg(fixtures.join("pipe.yaml")).status().unwrap().success());
        let files = load(directory.path());
        let short = |text: &str| text.replace(&format!("{}/", directory.path().display()), "");
        let paths: Vec<String> = files.fixtures.iter().map(|source| short(&source.path)).collect();
        assert_eq!(paths, ["fixtures/a/b/shared.yaml", "fixtures/b/shared.yaml"]);
        let mut problems: Vec<String> =
            files.problems.iter().map(|problem| short(&problem.message)).collect();
        problems.sort();
        assert_eq!(
            problems,
            [
                "`fixtures/a/up` leads back to a directory it is in",
                "`fixtures/pipe.yaml` is no regular file",
                "`fixtures/root` leads back to a directory it is in",
                "`fixtures/self` leads back to a directory it is in",
                "cannot read `fixtures/gone.yaml`: No such file or directory (os error 2)",
            ]
        );
    }
}
