//! The reports that are asked for: each is written when all is over, beside its place first, and then moved
//! there: whoever looks finds a whole one or none.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cli::censor::censored;
use crate::cli::{Refusal, out, terminal};
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::report::exit::Exit;
use crate::report::suite::SuiteReport;
use crate::report::{github, html, junit, lines, tap};

/// A form, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    form: Form,
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Junit,
    Tap,
    Json,
    Html,
    Github,
}

const FORMS: &[(&str, Form)] = &[
    ("junit", Form::Junit),
    ("tap", Form::Tap),
    ("json", Form::Json),
    ("html", Form::Html),
    ("github", Form::Github),
];

impl Wanted {
    /// Reads `form=FILE`, or `github`, for the command line.
    pub fn read(text: &str) -> Result<Wanted, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(file).filter(|file| !file.is_empty())),
            None => (text, None),
        };
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
            let help = did_you_mean(name, FORMS.iter().map(|(name, _)| *name)).unwrap_or_default();
            return Err(format!("there is no such form; {help}"));
        };
        if file.is_none() && *form != Form::Github {
            return Err(format!(
                "name a file: `{name}=report.{}`",
                if name == "junit" { "xml" } else { name }
            ));
        }
        Ok(Wanted { form: *form, file: file.map(PathBuf::from) })
    }
}

/// The reports of a suite that is about to begin.
pub struct Reports(Vec<(Wanted, Option<Begun>)>);

impl Reports {
    /// Makes sure that they can be written.
    ///
    /// # Errors
    ///
    /// One cannot, or two go to the same file, or they would stand between others' lines.
    pub fn open(wanted: &[Wanted], is_json: bool) -> Result<Reports, Refusal> {
        let refuse = |problem: Diagnostic| Err(Refusal::new(Exit::Invalid, problem));
        let mut reports = Vec::new();
        for (at, one) in wanted.iter().enumerate() {
            if one.form == Form::Github && is_json {
                let problem =
                    Diagnostic::error("`--report github` and `--json` both write to standard output");
                return refuse(problem.help("write the JSON to a file: `--report json=FILE`"));
            }
            let Some(file) = &one.file else {
                reports.push((one.clone(), None));
                continue;
            };
            let shown = file.display();
            if wanted[..at].iter().any(|earlier| earlier.file.as_ref() == Some(file)) {
                return refuse(
                    Diagnostic::error(format!("two reports go to `{shown}`")).help("name two files"),
                );
            }
            match Begun::at(file) {
                Ok(begun) => reports.push((one.clone(), Some(begun))),
                Err(error) => {
                    return refuse(
                        Diagnostic::error(format!("the report `{shown}` cannot be written: {error}"))
                            .note("nothing was run")
                            .help("name a file in a directory that is there, and may be written to"),
                    );
                }
            }
        }
        Ok(Reports(reports))
    }

    /// Whether one of them shows what steps send.
    pub fn show_sent(&self) -> bool {
        self.0.iter().any(|(wanted, _)| wanted.form == Form::Html)
    }

    /// Writes them. One that does not arrive is a failure of the command.
    pub fn write(self, report: &SuiteReport) {
        for (wanted, begun) in self.0 {
            let text = match wanted.form {
                Form::Junit => junit::document(report, &censored),
                Form::Tap => tap::document(report, &censored),
                Form::Json => lines::document(report, &censored),
                Form::Html => html::document(report, &censored),
                Form::Github => {
                    out::coloured(&github::annotations(report, &censored));
                    github::summary(report, &censored)
                }
            };
            let written = begun.map_or_else(|| append(&text), |begun| begun.finish(&text));
            if let Err(error) = written {
                let file =
                    wanted.file.map_or("GITHUB_STEP_SUMMARY".to_owned(), |it| it.display().to_string());
                terminal::print_diagnostics(&[Diagnostic::error(format!(
                    "the report `{file}` could not be written: {error}"
                ))]);
                out::fail(error);
            }
        }
    }
}

/// A report whose place was found good.
enum Begun {
    /// It is moved to its place when it is whole.
    Beside(NamedTempFile, PathBuf),
    /// What is there is no file of its own, like `/dev/stdout` or a pipe, and is written to.
    Stream(File),
}

impl Begun {
    fn at(file: &Path) -> io::Result<Begun> {
        let is_stream = ["/dev", "/proc"].iter().any(|parent| file.starts_with(parent))
            || file.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
        if is_stream {
            return OpenOptions::new().append(true).open(file).map(Begun::Stream);
        }
        if file.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // A link stays, and what it leads to is replaced.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let directory = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        directory.metadata()?;
        let begun = tempfile::Builder::new().prefix(".seedbed-report").tempfile_in(directory);
        // Its own words name the temporary file, which nobody asked for.
        let begun = begun.map_err(|error| io::Error::from(error.kind()))?;
        Ok(Begun::Beside(begun, file))
    }

    fn finish(self, text: &str) -> io::Result<()> {
        match self {
            Begun::Stream(mut stream) => stream.write_all(text.as_bytes()),
            Begun::Beside(mut begun, file) => {
                begun.write_all(text.as_bytes())?;
                readable(begun.path())?;
                begun.persist(file).map(drop).map_err(|error| error.error)
            }
        }
    }
}

/// A temporary file is its owner's alone; a report is for whoever may read files that are made here.
#[cfg(unix)]
fn readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Adds a page to the summary of a job, where there is one.
fn append(text: &str) -> io::Result<()> {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
