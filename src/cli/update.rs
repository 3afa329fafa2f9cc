//! `--update` and `--review`: whether expectations that do not hold may be written anew, and by whose word.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::options::Options;
use super::{Refusal, censor::censored, out, terminal};
use crate::database::clock::Clock;
use crate::project::diagnostic::Diagnostic;
use crate::project::edit::Edit;
use crate::project::scenario::Scenario;
use crate::report::StepReport;
use crate::report::exit::Exit;
use crate::report::text::{FAINT, HEAD};
use crate::run::update::Decision;

/// What is done about expectations that do not hold.
#[derive(Debug, Clone, Default, Args)]
pub struct Update {
    /// Write what came back into the expectations of `assert` steps that differ
    ///
    /// Only in the cells and rows that differ: comments, spelling and matchers that hold stay. Refused
    /// where CI is set, and for files with uncommitted changes.
    #[arg(long, help_heading = "Expectations")]
    pub update: bool,

    /// Ask for each of them
    #[arg(long, help_heading = "Expectations")]
    pub review: bool,

    /// Write into files with uncommitted changes too
    #[arg(long, help_heading = "Expectations")]
    pub force: bool,
}

impl Update {
    /// Whether any expectation may be written anew.
    pub fn is_asked_for(&self) -> bool {
        self.update || self.review
    }

    /// Refuses what cannot be wanted, before anything is done.
    pub fn check(&self, options: &Options) -> Result<(), Refusal> {
        let ci = std::env::var("CI").unwrap_or_default();
        let refuse = |message: &str, help: &str| {
            Err(Refusal::new(Exit::Invalid, Diagnostic::error(message).help(help)))
        };
        match () {
            () if !self.is_asked_for() && self.force => {
                refuse("`--force` belongs to `--update`", "add `--update`, or leave it out")
            }
            () if !self.is_asked_for() => Ok(()),
            () if !matches!(ci.as_str(), "" | "false" | "0") => refuse(
                "expectations are not updated where `CI` is set",
                "run it on your own machine, read the changes, and commit them",
            ),
            () if options.dry_run => refuse(
                "`--dry-run` keeps nothing, and `--update` writes into files",
                "leave out one of the two",
            ),
            () if self.review && !stdin().is_terminal() => refuse(
                "`--review` asks on a terminal, and standard input is none",
                "use `--update`, which does not ask",
            ),
            () => Ok(()),
        }
    }

    /// Refuses files whose changes could not be told from those that are made now.
    pub fn check_files(&self, scenarios: &[&Scenario]) -> Result<(), Refusal> {
        if !self.is_asked_for() || self.force {
            return Ok(());
        }
        let mut folders: BTreeMap<PathBuf, Vec<(&str, PathBuf)>> = BTreeMap::new();
        for scenario in scenarios {
            let shown = scenario.source.path.as_str();
            let Ok(path) = Path::new(shown).canonicalize() else { continue };
            let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
            folders.entry(folder).or_default().push((shown, path));
        }
        let mut diagnostics = Vec::new();
        for (folder, files) in &folders {
            diagnostics.extend(uncommitted(folder, files));
        }
        match diagnostics.is_empty() {
            true => Ok(()),
            false => Err(Refusal { exit: Exit::Invalid, diagnostics }),
        }
    }
}

/// What git says against changing some files of a folder. Where there is no repository, nobody would
/// commit them; where there is one, its word is needed.
fn uncommitted(folder: &Path, files: &[(&str, PathBuf)]) -> Vec<Diagnostic> {
    if !folder.ancestors().any(|above| above.join(".git").exists()) {
        return Vec::new();
    }
    let names = files.iter().filter_map(|(_, path)| path.file_name());
    let asked = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["--no-optional-locks", "--literal-pathspecs", "status", "--porcelain=v1", "-z"])
        .args(["--untracked-files=all", "--no-renames", "--"])
        .args(names)
        .output();
    let reason = match asked {
        Ok(Output { status, stdout, .. }) if status.success() => {
            let said = String::from_utf8_lossy(&stdout).into_owned();
            // Two letters and a blank stand before each path.
            let is_named = |path: &Path| {
                let named =
                    |line: &str| line.get(3..).map(|file| Path::new(file).file_name() == path.file_name());
                said.split('\0').filter_map(named).any(|is_named| is_named)
            };
            let is_understood = said.is_empty() || files.iter().any(|(_, path)| is_named(path));
            let changed = files.iter().filter(|(_, path)| !is_understood || is_named(path));
            return changed.map(|(shown, _)| refused(shown)).collect();
        }
        Ok(Output { stderr, .. }) => String::from_utf8_lossy(&stderr).trim().to_owned(),
        Err(error) => format!("cannot run git: {error}"),
    };
    let shown = folder.display();
    vec![
        Diagnostic::error(format!("git does not say whether files in `{shown}` are committed"))
            .note(reason)
            .help("make sure that they are, and add `--force`"),
    ]
}

fn refused(file: &str) -> Diagnostic {
    Diagnostic::error(format!("`{file}` has uncommitted changes"))
        .note("what `--update` writes could not be told from them, nor undone alone")
        .help("commit or stash them, name other scenarios, or add `--force`")
}

/// Decides about one expectation after the other.
pub struct Reviewer {
    /// Whether a person is asked.
    asks: Cell<bool>,
    /// What is decided about all that are left.
    decided: Cell<Option<Answer>>,
    /// Whether the failure of a step was shown already.
    has_shown: Cell<bool>,
    clock: Clock,
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Skip,
    AcceptAll,
    Quit,
}

impl Reviewer {
    /// One that asks, or does not.
    pub fn new(update: &Update, clock: Clock) -> Reviewer {
        let (asks, decided, has_shown) = (Cell::new(update.review), Cell::new(None), Cell::new(false));
        Reviewer { asks, decided, has_shown, clock }
    }

    /// Decides about the expectation of a step.
    pub fn decide(&self, step: &StepReport, edits: &[Edit]) -> Decision {
        if edits.iter().any(|edit| censored(&edit.by) != edit.by) {
            return Decision::Refuse("a secret came back, which does not belong into a file".to_owned());
        }
        if !self.asks.get() {
            return Decision::Write;
        }
        let answer = self.decided.get().unwrap_or_else(|| {
            terminal::print_diagnostics(&step.diagnostics);
            self.has_shown.set(true);
            ask(&mut || read_line(&self.clock), &mut |words| out::error(words))
        });
        if matches!(answer, Answer::AcceptAll | Answer::Quit) {
            self.decided.set(Some(answer));
        }
        match answer {
            Answer::Accept | Answer::AcceptAll => Decision::Write,
            Answer::Skip | Answer::Quit => Decision::Leave,
        }
    }

    /// Whether the failure of the last step was shown already.
    pub fn takes_shown(&self) -> bool {
        self.has_shown.take()
    }
}

/// Asks until there is an answer; no line is the end.
fn ask(read: &mut dyn FnMut() -> Option<String>, say: &mut dyn FnMut(&str)) -> Answer {
    loop {
        say(&format!(
            "\n{HEAD}update this expectation?{HEAD:#} [a]ccept, [s]kip, [A]ccept all, [q]uit {FAINT}>{FAINT:#} "
        ));
        let Some(line) = read() else {
            say("\n");
            return Answer::Quit;
        };
        match line.trim() {
            "a" | "accept" => return Answer::Accept,
            "s" | "skip" => return Answer::Skip,
            "A" | "accept all" => return Answer::AcceptAll,
            "q" | "quit" => return Answer::Quit,
            _ => say(
                "a: write it into the file; s: leave it, the step has failed; A: write this and all that follow; q: leave this and all that follow\n",
            ),
        }
    }
}

/// A line from standard input; nothing at its end, or when the run is told to end meanwhile.
fn read_line(clock: &Clock) -> Option<String> {
    let (says, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let count = stdin().read_line(&mut line).unwrap_or(0);
        let _ = says.send((count > 0).then_some(line));
    });
    loop {
        match heard.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if clock.check().is_ok() => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_asked_until_there_is_an_answer() {
        let check = |lines: &str, expected: Answer, asked: usize| {
            let mut lines = lines.split_inclusive('\n').map(str::to_owned);
            let mut said = String::new();
            let answer = ask(&mut || lines.next(), &mut |words| said.push_str(words));
            assert_eq!(answer, expected, "{said}");
            assert_eq!(said.matches("update this expectation?").count(), asked, "{said}");
        };
        check("a\n", Answer::Accept, 1);
        check("s\n", Answer::Skip, 1);
        check(" A \n", Answer::AcceptAll, 1);
        check("q\n", Answer::Quit, 1);
        check("what\n\naccept", Answer::Accept, 3);
        check("", Answer::Quit, 1);
        check("\n", Answer::Quit, 2);
    }
}
