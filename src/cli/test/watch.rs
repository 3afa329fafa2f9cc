//! What a person sees of a suite: its tests in their order, and a line that moves.

use std::io::IsTerminal;

use crate::cli::options::{Log, Options};
use crate::cli::out;
use crate::cli::terminal::{Spinner, print_diagnostics, print_json};
use crate::project::diagnostic::Diagnostic;
use crate::report::event::Event;
use crate::report::suite::{SuiteReport, TestReport, Verdict, text};
use crate::report::{json, text as words};
use crate::suite::Told;
use crate::suite::plan::Planned;

/// Shows one suite.
pub struct Watch<'a> {
    options: &'a Options,
    title_width: usize,
    tests: usize,
    failed: usize,
    spinner: Option<Spinner>,
}

impl<'a> Watch<'a> {
    /// Of tests that are about to begin.
    pub fn new(options: &'a Options, tests: &[Planned]) -> Watch<'a> {
        let is_watched = std::io::stderr().is_terminal() && !options.quiet && options.log == Log::Text;
        let names: Vec<String> = tests.iter().map(|test| test.blank().name()).collect();
        Watch {
            options,
            title_width: text::width(names.iter().map(String::as_str)),
            tests: tests.len(),
            failed: 0,
            spinner: is_watched.then(Spinner::start),
        }
    }

    /// Shows warnings about the project.
    pub fn warn(&self, warnings: &[Diagnostic]) {
        if !self.options.json {
            print_diagnostics(warnings);
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
                let failed =
                    if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
                let title = &test.scenario.title.text;
                self.say(Some(format!("{over} of {} tests{failed}; {title}", self.tests)));
            }
            Told::Ended(test) => self.ended(test),
        }
    }

    fn event(&self, event: &Event) {
        self.say(words::progress(event));
        if self.options.json || self.options.quiet {
            return;
        }
        let is_told = matches!(event, Event::Warned(_) | Event::Noticed { .. });
        if is_told || matches!(event, Event::Connected { is_unverified: true, .. }) {
            out::coloured(&words::line(event, 0));
        } else if let Some(progress) = words::progress(event).filter(|_| self.options.verbose) {
            out::error(&format!("{}{progress}{:#}\n", words::FAINT, words::FAINT));
        }
    }

    fn ended(&mut self, test: &TestReport) {
        let is_failed = matches!(test.verdict(), Verdict::Failed | Verdict::Error);
        self.failed += usize::from(is_failed);
        if self.options.json || self.options.quiet && !is_failed {
            return;
        }
        self.say(None);
        out::coloured(&text::test(test, self.title_width));
        for step in test.all_steps().filter(|step| is_failed || !step.diagnostics.is_empty()) {
            print_diagnostics(&step.diagnostics);
        }
        print_diagnostics(&test.problems);
        if is_failed || !test.problems.is_empty() {
            out::coloured("\n");
        }
    }

    /// Shows how it ended.
    pub fn finish(mut self, report: &SuiteReport) {
        self.spinner = None;
        if self.options.json {
            return print_json(&json::suite(report));
        }
        if let Some((_, diagnostics)) = &report.stopped {
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
