//! What a person sees: events as lines, what is going on as a line that moves, and the end.
//!
//! The report goes to standard output, everything else to standard error. A closed pipe is no
//! reason to stop in the middle of a scenario, so failed writes are ignored.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Refusal;
use super::options::{Log, Options};
use crate::project::diagnostic::{Diagnostic, Severity};
use crate::report::event::Event;
use crate::report::{Report, json, log, text};

/// How long something may take before a spinner says what it is.
const SPINNER_AFTER: Duration = Duration::from_millis(400);

/// Shows one run.
pub struct Terminal<'a> {
    options: &'a Options,
    title_width: usize,
    spinner: Option<Spinner>,
    /// Tells the run from all others.
    run: String,
}

impl<'a> Terminal<'a> {
    /// A terminal for a run that is about to begin.
    pub fn new(options: &'a Options, run: &str) -> Terminal<'a> {
        let is_watched = std::io::stderr().is_terminal() && !options.quiet && !options.verbose;
        let is_watched = is_watched && options.log == Log::Text;
        let spinner = is_watched.then(Spinner::start);
        Terminal { options, title_width: 0, spinner, run: run.to_owned() }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        if let Event::ScenarioBegun { title_width, .. } = event {
            self.title_width = *title_width;
        }
        if self.options.log == Log::Json {
            let time = humantime::format_rfc3339_micros(std::time::SystemTime::now()).to_string();
            let _ = writeln!(std::io::stderr(), "{}", log::line(event, &time, &self.run));
            return self.report(event);
        }
        let progress = text::progress(event);
        if let Some(spinner) = &self.spinner {
            spinner.say(progress.clone());
        }
        let is_worth_a_line = self.options.verbose
            || matches!(
                event,
                Event::Waiting { .. }
                    | Event::LockHeld { .. }
                    | Event::Retrying { .. }
                    | Event::Settling { .. }
            );
        if let Some(progress) = progress.filter(|_| is_worth_a_line && self.spinner.is_none()) {
            let _ = writeln!(anstream::stderr(), "{}{progress}{:#}", text::FAINT, text::FAINT);
        }
        self.report(event);
        if let Event::StepEnded(step) = event
            && !self.options.json
        {
            print_diagnostics(&step.diagnostics);
        }
    }

    fn report(&self, event: &Event) {
        if !self.options.quiet && !self.options.json {
            let _ = write!(anstream::stdout(), "{}", text::line(event, self.title_width));
        }
    }

    /// Shows how the run ended.
    pub fn finish(self, report: &Report) {
        drop(self.spinner);
        if self.options.json {
            print_json(&json::document(report));
            return;
        }
        if let Some((_, diagnostics)) = report.stopped.as_ref().filter(|_| self.options.log == Log::Text) {
            print_diagnostics(diagnostics);
        }
        let _ = write!(anstream::stdout(), "{}", text::summary(report));
    }
}

/// Tells why a command did not begin.
pub fn refuse(options: &Options, refusal: &Refusal) {
    if options.json {
        let problems: Vec<_> = refusal.diagnostics.iter().map(Diagnostic::json).collect();
        print_json(
            &serde_json::json!({ "version": 1, "exit": refusal.exit.code(), "held": false, "problems": problems }),
        );
        return;
    }
    print_diagnostics(&refusal.diagnostics);
    let errors =
        refusal.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    if errors > 1 {
        let _ =
            writeln!(anstream::stderr(), "\n{}{errors} problems{:#}; nothing was run", text::BAD, text::BAD);
    }
}

/// Prints diagnostics, each behind an empty line.
pub fn print_diagnostics(diagnostics: &[Diagnostic]) {
    let _ = std::io::stdout().flush();
    let mut stderr = anstream::stderr().lock();
    for diagnostic in diagnostics {
        let _ = write!(stderr, "\n{}", diagnostic.render(true));
    }
}

/// Prints a JSON document.
pub fn print_json(document: &serde_json::Value) {
    let _ = writeln!(std::io::stdout(), "{document:#}");
}

/// Prints a line of the report.
pub fn print_line(line: &str) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// A line at the bottom that says what is going on, once it has gone on for a while.
struct Spinner {
    says: Option<mpsc::Sender<Option<String>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Spinner {
    fn start() -> Spinner {
        let (says, heard) = mpsc::channel::<Option<String>>();
        let thread = thread::spawn(move || {
            let mut current: Option<String> = None;
            let mut bar: Option<ProgressBar> = None;
            loop {
                let message = if current.is_some() && bar.is_none() {
                    heard.recv_timeout(SPINNER_AFTER)
                } else {
                    heard.recv().map_err(|_| RecvTimeoutError::Disconnected)
                };
                match message {
                    Ok(says) => {
                        if says.is_none()
                            && let Some(bar) = bar.take()
                        {
                            bar.finish_and_clear();
                        }
                        if let (Some(bar), Some(says)) = (&bar, &says) {
                            bar.set_message(says.clone());
                        }
                        current = says;
                    }
                    Err(RecvTimeoutError::Timeout) => bar = current.clone().map(spinning),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Spinner { says: Some(says), thread: Some(thread) }
    }

    fn say(&self, message: Option<String>) {
        if let Some(says) = &self.says {
            let _ = says.send(message);
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.says = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spinning(message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})");
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
