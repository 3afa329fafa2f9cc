//! The report of a suite for people: a line for each test that held, more for the others.

use anstyle::Style;

use super::{SuiteReport, TestReport, Verdict};
use crate::project::diagnostic::{count, printable};
use crate::report::StepReport;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::text::{BAD, FAINT, GOOD, HEAD, ODD, duration, line};

/// How wide the column of titles is at the most.
const TITLE_WIDTH_MAX: usize = 60;

/// How wide the column of these titles is.
pub fn width<'a>(titles: impl Iterator<Item = &'a str>) -> usize {
    titles.map(|title| title.chars().count()).max().unwrap_or(0).min(TITLE_WIDTH_MAX)
}

/// A test that has ended: one line, and behind it the steps of one that did not hold.
pub fn test(test: &TestReport, title_width: usize) -> String {
    let verdict = test.verdict();
    let (style, mark) = look(verdict);
    let name = printable(&test.name());
    let padding = " ".repeat(title_width.saturating_sub(name.chars().count()));
    let file = printable(&test.file);
    let facts = std::iter::once(file).chain(facts(test)).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "{style}{mark}{style:#} {HEAD}{name}{HEAD:#}{padding}  {style}{:<7}{style:#}  {FAINT}{facts}{FAINT:#}\n",
        verdict.word()
    );
    if matches!(verdict, Verdict::Failed | Verdict::Error) {
        text.push_str(&steps(&test.steps));
        if !test.again.is_empty() {
            text.push_str(&format!("  {FAINT}a second time{FAINT:#}\n{}", steps(&test.again)));
        }
    }
    for step in test.all_steps().filter(|step| step.is_flaky()) {
        for reason in &step.retried {
            let title = printable(&step.title);
            let reason = printable(reason).replace('\n', " ");
            text.push_str(&format!("  {ODD}flaky{ODD:#} {} `{title}` ran into: {reason}\n", step.kind));
        }
    }
    if let Some(psql) = &test.kept {
        text.push_str(&format!("  {ODD}kept{ODD:#}  {}\n", printable(psql)));
    }
    text
}

fn steps(steps: &[StepReport]) -> String {
    let width = width(steps.iter().map(|step| step.title.as_str()));
    steps.iter().map(|step| line(&Event::StepEnded(step), width)).collect()
}

fn facts(test: &TestReport) -> Vec<String> {
    let skipped = test.steps.iter().filter(|step| step.end == crate::report::End::Skipped).count();
    let mut facts = Vec::new();
    if !test.steps.is_empty() {
        let twice = if test.again.is_empty() { "" } else { " twice" };
        facts.push(format!("{}{twice}", count(test.steps.len(), "step")));
    }
    if skipped > 0 {
        facts.push(format!("{skipped} skipped"));
    }
    if test.exit.is_some() {
        facts.push(duration(test.elapsed));
    }
    facts
}

fn look(verdict: Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Held => (GOOD, "✓"),
        Verdict::Flaky => (ODD, "✓"),
        Verdict::Failed | Verdict::Error => (BAD, "✗"),
        Verdict::NotRun => (FAINT, "-"),
    }
}

/// What the tests run on: the server, the template, and in which order.
pub fn head(report: &SuiteReport) -> String {
    let mut text = format!(
        "{FAINT}server{FAINT:#}    {} {FAINT}PostgreSQL {}{FAINT:#}\n",
        printable(&report.target),
        printable(&report.server)
    );
    for template in &report.templates {
        let took = duration(template.elapsed);
        let how = match (template.is_new, template.migrations.len()) {
            (false, _) => "made before".to_owned(),
            (true, 0) => format!("made in {took}"),
            (true, applied) => format!("{} applied in {took}", count(applied, "migration")),
        };
        let upto = template.version.map_or(String::new(), |version| format!("up to V{version}, "));
        text.push_str(&format!("{FAINT}template{FAINT:#}  {} {FAINT}{upto}{how}{FAINT:#}\n", template.name));
    }
    text
}

/// The last lines: what all of it comes to.
pub fn summary(report: &SuiteReport) -> String {
    let parts = [
        (Verdict::Held, HEAD, "held"),
        (Verdict::Flaky, ODD, "held, not at the first try"),
        (Verdict::Failed, BAD, "did not hold"),
        (Verdict::Error, BAD, "could not be run to the end"),
        (Verdict::NotRun, FAINT, "not run"),
    ];
    let parts = parts.iter().filter_map(|(verdict, style, words)| {
        let number = report.count(*verdict);
        (number > 0).then(|| format!("{style}{number} {words}{style:#}"))
    });
    let parts: Vec<String> = parts.collect();
    let tests = count(report.tests.len(), "test");
    let (style, word) = if report.exit() == Exit::Held { (GOOD, "ok") } else { (BAD, "failed") };
    let shuffled = match report.shuffle {
        Some(seed) => format!("\n{FAINT}the same order again: --shuffle {seed}{FAINT:#}"),
        None => String::new(),
    };
    let took = duration(report.elapsed);
    format!("\n{style}{word}{style:#}  {tests}: {}  {FAINT}{took}{FAINT:#}{shuffled}\n", parts.join(", "))
}
