//! What a person sees: events as lines, what is going on as a line that moves, and the end.
//!
//! The report goes to standard output, everything else to standard error. A report that cannot be
//! written is no reason to stop in the middle of a scenario: that is told at the end, by [`out`].

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};

use super::options::{Log, Options};
use super::repeats::Repeats;
use super::update::Reviewer;
use super::{Refusal, censor::censored, out};
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
    repeats: Repeats,
    /// Warnings that are told at the end, as JSON is.
    warnings: Vec<Diagnostic>,
    /// Tells the run from all others.
    run: String,
    /// Who shows failures before they are told of here, if anybody does.
    reviewer: Option<&'a Reviewer>,
}

impl<'a> Terminal<'a> {
    /// A terminal for a run that is about to begin.
    pub fn new(options: &'a Options) -> Terminal<'a> {
        let is_watched = std::io::stderr().is_terminal() && !options.quiet && !options.verbose;
        let is_watched = is_watched && options.log == Log::Text;
        Terminal {
            options,
            title_width: 0,
            spinner: is_watched.then(Spinner::start),
            repeats: Repeats::default(),
            warnings: Vec::new(),
            run: String::new(),
            reviewer: None,
        }
    }

    /// Names the run whose events will come.
    pub fn is_of(&mut self, run: &str) {
        run.clone_into(&mut self.run);
    }

    /// Leaves the terminal to somebody who asks there too.
    pub fn is_reviewed_by(&mut self, reviewer: &'a Reviewer) {
        self.spinner = None;
        self.reviewer = Some(reviewer);
    }

    /// Shows warnings about the project.
    pub fn warn(&mut self, warnings: Vec<Diagnostic>) {
        match self.options.json {
            true => self.warnings.extend(warnings),
            false => print_warnings(self.options, &warnings, &self.run),
        }
    }

    /// The warnings that were not shown yet.
    pub fn into_warnings(mut self) -> Vec<Diagnostic> {
        self.spinner = None;
        self.warnings
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        if let Event::ScenarioBegun { title_width, .. } = event {
            self.title_width = *title_width;
        }
        if self.options.log == Log::Json {
            print_log(event, &self.run);
            return self.report(event);
        }
        let progress = text::progress(event);
        if let Some(spinner) = &self.spinner {
            spinner.say(progress.clone());
        }
        let is_worth_a_line = self.repeats.is_worth_a_line(event, self.options.verbose);
        if let Some(progress) = progress.filter(|_| is_worth_a_line && self.spinner.is_none()) {
            out::error(&format!("{}{progress}{:#}\n", text::FAINT, text::FAINT));
        }
        self.report(event);
        if let Event::StepEnded(step) = event
            && !self.reviewer.is_some_and(Reviewer::takes_shown)
            && !self.options.json
        {
            print_diagnostics(&step.diagnostics);
        }
    }

    fn report(&mut self, event: &Event) {
        if !self.options.quiet && !self.options.json {
            out::coloured(&text::line(event, self.title_width));
        }
        if self.options.json {
            self.warnings.extend(event.warning());
        }
    }

    /// Shows how the run ended.
    pub fn finish(mut self, report: &Report) {
        self.spinner = None;
        if self.options.json {
            return print_json(&json::document(report, &self.into_warnings()));
        }
        if let Some((_, diagnostics)) = report.stopped.as_ref().filter(|_| self.options.log == Log::Text) {
            print_diagnostics(diagnostics);
        }
        out::coloured(&text::summary(report));
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
    if options.log == Log::Json {
        let (exit, elapsed) = (refusal.exit.code(), Duration::ZERO);
        return print_log(&Event::Ended { exit, elapsed, diagnostics: &refusal.diagnostics }, "");
    }
    print_diagnostics(&refusal.diagnostics);
    let errors =
        refusal.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    if errors > 1 {
        out::error(&format!("\n{}{errors} problems{:#}; nothing was run\n", text::BAD, text::BAD));
    }
}

/// Writes a line for a collector of logs, of a run that is told from all others.
pub fn print_log(event: &Event, run: &str) {
    let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
    out::error_json(&format!("{}\n", log::line(event, &time, run)));
}

/// Tells warnings to whoever reads standard error.
pub fn print_warnings(options: &Options, warnings: &[Diagnostic], run: &str) {
    match options.log {
        Log::Json => warnings.iter().for_each(|warning| print_log(&Event::Warned(warning), run)),
        Log::Text => print_diagnostics(warnings),
    }
}

/// Prints diagnostics, each behind an empty line.
pub fn print_diagnostics(diagnostics: &[Diagnostic]) {
    out::flush();
    for diagnostic in diagnostics {
        out::error(&format!("\n{}", diagnostic.render(true)));
    }
}

/// Prints a JSON document.
pub fn print_json(document: &serde_json::Value) {
    out::json(&format!("{document:#}\n"));
}

/// Prints a line of the report.
pub fn print_line(line: &str) {
    out::coloured(&format!("{line}\n"));
}

/// A line at the bottom that says what is going on, once it has gone on for a while.
pub struct Spinner {
    says: Option<mpsc::Sender<Option<String>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Spinner {
    /// Begins, with nothing to say.
    pub fn start() -> Spinner {
        let (says, heard) = mpsc::channel::<Option<String>>();
        let thread = thread::spawn(move || {
            let mut current: Option<String> = None;
            let mut bar: Option<ProgressBar> = None;
            let mut since = Instant::now();
            loop {
                let message = if current.is_some() && bar.is_none() {
                    heard.recv_timeout(SPINNER_AFTER.saturating_sub(since.elapsed()))
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
                        if current.is_none() {
                            since = Instant::now();
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

    /// Says what is going on; nothing when nothing is.
    pub fn say(&self, message: Option<String>) {
        if let Some(says) = &self.says {
            let _ = says.send(message.map(|message| censored(&message).into_owned()));
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
