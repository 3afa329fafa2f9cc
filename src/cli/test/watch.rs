//! What a person sees of a suite: its tests in their order, and a line that moves.

use std::io::IsTerminal;

use crate::cli::options::{Log, Options};
use crate::cli::out;
use crate::cli::repeats::Repeats;
use crate::cli::terminal::{Spinner, print_diagnostics, print_json, print_log, print_warnings};
use crate::project::diagnostic::Diagnostic;
use crate::report::event::Event;
use crate::report::suite::{SuiteReport, TestReport, Verdict, text};
use crate::report::{json, text as words};
use crate::suite::Told;
use crate::suite::plan::Planned;

/// Shows one suite.
pub struct Watch<'a> {
    options: &'a Options,
    /// Tells the run from all others.
    run: String,
    title_width: usize,
    tests: usize,
    failed: usize,
    /// Whether the last one said so much that the next stands apart.
    is_apart: bool,
    spinner: Option<Spinner>,
    repeats: Repeats,
}

impl<'a> Watch<'a> {
    /// Of tests that are about to begin.
    pub fn new(options: &'a Options, tests: &[Planned]) -> Watch<'a> {
        let is_watched = std::io::stderr().is_terminal() && !options.quiet && options.log == Log::Text;
        let names: Vec<String> = tests.iter().map(|test| test.blank().name()).collect();
        Watch {
            options,
            run: String::new(),
            title_width: text::width(names.iter().map(String::as_str)),
            tests: tests.len(),
            failed: 0,
            is_apart: false,
            spinner: is_watched.then(Spinner::start),
            repeats: Repeats::default(),
        }
    }

    /// Names the run.
    pub fn is_of(&mut self, run: &str) {
        run.clone_into(&mut self.run);
    }

    /// Shows warnings about the project.
    pub fn warn(&self, warnings: &[Diagnostic]) {
        if !self.options.json {
            print_warnings(self.options, warnings, &self.run);
        }
    }

    /// Shows what is told.
    pub fn show(&mut self, told: Told) {
        match told {
            Told::Event(event) => self.event(event),
            Told::Ready(report) if !self.options.json && !self.options.quiet => {
                out::coloured(&format!("{}\n", text::head(report)));
            }
            Told::Ready(_) => {}
            Told::Begun(test, over) => {
                let (name, file) = (test.blank().name(), &test.scenario.source.path);
                self.log(&Event::TestBegun { name: &name, file });
                let failed =
                    if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
                let title = &test.scenario.title.text;
                self.say(Some(format!("{over} of {} tests{failed}; {title}", self.tests)));
            }
            Told::Ended(test) => self.log(&Event::TestEnded(test)),
            Told::Next(test) => self.next(test),
        }
    }

    /// Writes a line for a collector of logs, if there is one.
    fn log(&self, event: &Event) {
        if self.options.log == Log::Json {
            print_log(event, &self.run);
        }
    }

    fn event(&mut self, event: &Event) {
        self.log(event);
        let progress = words::progress(event);
        self.say(progress.clone());
        let is_worth_a_line = self.repeats.is_worth_a_line(event, self.options.verbose);
        let is_shown = is_worth_a_line && self.spinner.is_none() && self.options.log == Log::Text;
        if let Some(progress) = progress.filter(|_| is_shown) {
            out::error(&format!("{}{progress}{:#}\n", words::FAINT, words::FAINT));
        }
        let is_told = matches!(event, Event::Warned(_) | Event::Noticed { .. })
            || matches!(event, Event::Connected { is_unverified: true, .. });
        if is_told && !self.options.json && !self.options.quiet {
            out::coloured(&words::line(event, 0));
        }
    }

    fn next(&mut self, test: &TestReport) {
        let is_failed = matches!(test.verdict(), Verdict::Failed | Verdict::Error);
        self.failed += usize::from(is_failed);
        if self.options.json || self.options.quiet && !is_failed {
            return;
        }
        self.say(None);
        let gap = if std::mem::take(&mut self.is_apart) { "\n" } else { "" };
        out::coloured(&format!("{gap}{}", text::test(test, self.title_width)));
        if self.options.log == Log::Text {
            test.all_steps().for_each(|step| print_diagnostics(&step.diagnostics));
            print_diagnostics(&test.problems);
        }
        self.is_apart = is_failed || !test.problems.is_empty();
    }

    /// Shows how it ended.
    pub fn finish(mut self, report: &SuiteReport) {
        self.spinner = None;
        let (exit, elapsed) = (report.exit().code(), report.elapsed);
        let diagnostics = report.stopped.as_ref().map_or(&[][..], |(_, diagnostics)| diagnostics);
        self.log(&Event::Ended { exit, elapsed, diagnostics });
        if self.options.json {
            return print_json(&json::suite(report));
        }
        if self.options.log == Log::Text {
            print_diagnostics(diagnostics);
        }
        out::coloured(&text::summary(report));
    }

    fn say(&self, message: Option<String>) {
        if let Some(spinner) = &self.spinner {
            spinner.say(message);
        }
    }
}
