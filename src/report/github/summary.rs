//! The summary: the page that GitHub shows for a run, in Markdown.

use super::markdown::{block, cell, span};
use crate::project::diagnostic::{Diagnostic, Severity, count};
use crate::project::source::Place;
use crate::report::exit::Exit;
use crate::report::shown::{drawn, line};
use crate::report::suite::{Censor, SuiteReport, TestReport, Verdict};
use crate::report::text::duration;

/// The most bytes of a page: GitHub drops one with more than 1 MiB.
const BYTES_MAX: usize = 1024 * 1024;
/// What is left of them for the last words.
const BYTES_LAST: usize = 1024;
/// How many of the slowest tests are listed.
const SLOWEST: usize = 5;

/// A page that does not grow beyond what is shown.
struct Page<'a> {
    censor: Censor<'a>,
    text: String,
    left_out: usize,
}

/// The whole page.
pub fn summary(report: &SuiteReport, censor: Censor) -> String {
    let mut page = Page { censor, text: String::new(), left_out: 0 };
    page.counts(report);
    page.stopped(report);
    page.failed(report);
    page.flaky(report);
    page.warnings(report);
    page.slowest(report);
    page.ended()
}

impl Page<'_> {
    /// Adds an entry as a whole, or leaves it out.
    fn add(&mut self, entry: &str) {
        if self.text.len() + entry.len() + BYTES_LAST > BYTES_MAX {
            self.left_out += 1;
        } else {
            self.text.push_str(entry);
        }
    }

    /// A text of somebody else's, in a line.
    fn span(&self, text: &str) -> String {
        span(&line(text, self.censor))
    }

    fn drawn<'d>(&mut self, diagnostics: impl IntoIterator<Item = &'d Diagnostic>) {
        let drawn = block(&drawn(diagnostics, self.censor));
        self.add(&format!("{drawn}\n"));
    }

    fn counts(&mut self, report: &SuiteReport) {
        let tests = count(report.tests.len(), "test");
        let bad = report.count(Verdict::Failed) + report.count(Verdict::Error);
        let heading = match report.exit() {
            Exit::Held => format!("✅ seedbed test: {tests}"),
            _ if bad > 0 => format!("❌ seedbed test: {bad} of {tests} did not hold"),
            _ => "❌ seedbed test: stopped".to_owned(),
        };
        let verdicts =
            [Verdict::Held, Verdict::Flaky, Verdict::Failed, Verdict::Error, Verdict::NotRun].map(|it| {
                let counted = report.count(it);
                if counted == 0 { "–".to_owned() } else { counted.to_string() }
            });
        let mut facts = vec![
            format!("PostgreSQL {} at {}", self.span(&report.server), self.span(&report.target)),
            count(report.jobs, "job"),
        ];
        facts.extend(report.shuffle.map(|seed| format!("shuffled with the seed {seed}")));
        facts.extend(report.shard.map(|(part, of)| format!("part {part} of {of}")));
        facts.push(format!("run {}", self.span(&report.run)));
        self.add(&format!(
            "## {heading}\n\n\
             | held | flaky | failed | error | not run | time |\n|---:|---:|---:|---:|---:|---:|\n\
             | {} | {} |\n\n{}\n\n",
            verdicts.join(" | "),
            duration(report.elapsed),
            facts.join(", "),
        ));
    }

    fn stopped(&mut self, report: &SuiteReport) {
        let reasons = report.reasons();
        if !reasons.is_empty() {
            self.add("### Stopped\n\n");
            self.drawn(reasons.iter().map(|it| -> &Diagnostic { it }));
        }
    }

    fn failed(&mut self, report: &SuiteReport) {
        let is_failed = |test: &&TestReport| matches!(test.verdict(), Verdict::Failed | Verdict::Error);
        let has_failed = |test: &&TestReport| is_failed(test) || !test.own_reasons().is_empty();
        for (at, test) in report.tests.iter().filter(has_failed).enumerate() {
            if at == 0 {
                self.add("### Failed\n\n");
            }
            let own = test.own_reasons();
            let steps: Vec<_> = test.named_steps().filter(|(_, step)| step.is_failed()).collect();
            let first = steps.first().map(|(_, step)| &step.place);
            let place = first.map_or_else(|| test.file.clone(), row);
            self.add(&format!("#### {} in {}\n\n", self.span(&test.name()), self.span(&place)));
            if !own.is_empty() {
                self.drawn(own.iter().map(|it| -> &Diagnostic { it }));
            }
            for (name, step) in steps {
                self.add(&format!("{} in {}:\n\n", self.span(&name), self.span(&row(&step.place))));
                self.drawn(test.reasons(step).iter().map(|it| -> &Diagnostic { it }));
            }
            if let Some(kept) = &test.kept {
                self.add("Its database was kept:\n\n");
                let kept = block(&line(kept, self.censor));
                self.add(&format!("{kept}\n"));
            }
        }
    }

    fn flaky(&mut self, report: &SuiteReport) {
        let tests = report.tests.iter();
        let steps = tests.flat_map(|test| test.named_steps().map(move |(name, step)| (test, name, step)));
        for (at, (test, name, step)) in steps.filter(|(_, _, step)| step.is_flaky()).enumerate() {
            if at == 0 {
                self.add("### Flaky\n\n");
            }
            let [test, name] = [&test.name(), &name].map(|it| self.span(it));
            let tries: Vec<String> = step.retried.iter().take(SLOWEST).map(|it| self.span(it)).collect();
            let more = match step.retried.len().saturating_sub(SLOWEST) {
                0 => String::new(),
                more => format!("; {more} more"),
            };
            self.add(&format!(
                "- {test}, {name} in {}, held at try {}, after {}{more}\n",
                self.span(&row(&step.place)),
                step.attempts,
                tries.join("; ")
            ));
        }
    }

    fn warnings(&mut self, report: &SuiteReport) {
        let tests = report.tests.iter();
        let said = tests
            .flat_map(|test| test.problems.iter().chain(test.all_steps().flat_map(|step| &step.diagnostics)));
        let all = said.chain(&report.warnings).filter(|it| it.severity == Severity::Warning);
        for (at, warning) in all.enumerate() {
            if at == 0 {
                self.add("\n### Warnings\n\n");
            }
            self.drawn([warning]);
        }
    }

    fn slowest(&mut self, report: &SuiteReport) {
        let mut tests: Vec<&TestReport> = report.tests.iter().filter(|test| test.exit.is_some()).collect();
        tests.sort_by_key(|test| std::cmp::Reverse(test.elapsed));
        if tests.is_empty() {
            return;
        }
        let rows = tests.iter().take(SLOWEST).map(|test| {
            let [name, file] = [&test.name(), &test.file].map(|it| cell(&line(it, self.censor)));
            format!("| {name} | {file} | {} | {} |\n", duration(test.elapsed), duration(test.isolating()))
        });
        let rows: String = rows.collect();
        self.add(&format!(
            "\n<details><summary>Slowest tests</summary>\n\n\
             | test | file | time | for its database |\n|---|---|---:|---:|\n{rows}\n</details>\n"
        ));
    }

    fn ended(mut self) -> String {
        if self.left_out > 0 {
            self.text.push_str(&format!(
                "\n**{} left out, as a page has no more than 1 MiB.** The other reports have all of it.\n",
                if self.left_out == 1 {
                    "1 entry is".to_owned()
                } else {
                    format!("{} entries are", self.left_out)
                }
            ));
        }
        self.text
    }
}

/// `scenarios/roster.yml:12`
fn row(place: &Place) -> String {
    let (line, _) = place.source.line_column(place.span.start as usize);
    format!("{}:{line}", place.source.path)
}
