//! The report for servers of continuous integration: JUnit's XML, in the dialect of Jenkins.
//!
//! A suite is a test, that is a scenario on its database; a case is a step. Jenkins' schema has no place for
//! a step's file and line, so they begin the text of a failure, where most readers look for them.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::problems::Reasons;
use super::shown::{block, drawn, line};
use super::suite::{Censor, SuiteReport, TestReport};
use super::{End, StepReport};
use crate::project::diagnostic::{Diagnostic, Severity, printable};

/// What the report is called, and the suite of what is said of no single test.
const NAME: &str = "seedbed test";

/// The whole report.
pub fn document(report: &SuiteReport, censor: Censor) -> String {
    let mut document = Report::new(NAME);
    document.set_time(report.elapsed);
    document.add_test_suites(report.tests.iter().map(|test| suite(report, test, censor)));
    document.add_test_suites(whole(report, censor));
    let text = document.to_string().unwrap_or_default(); // Into memory, it cannot fail.
    // The first attribute that can be this one is that of the document, which Jenkins' schema does not have.
    text.replacen(&format!(" skipped=\"{}\"", document.skipped), "", 1)
}

/// A test and its steps.
fn suite(report: &SuiteReport, test: &TestReport, censor: Censor) -> TestSuite {
    let mut suite = TestSuite::new(line(&test.name(), censor));
    suite.set_time(test.elapsed);
    if test.exit.is_some() {
        let begun = humantime::format_rfc3339_millis(report.started + test.begun);
        suite.extra.insert("timestamp".into(), begun.to_string().into());
    }
    suite.extra.insert("file".into(), line(&test.file, censor).into());
    for (name, value) in properties(report, test) {
        suite.add_property(Property::new(name, line(&value, censor)));
    }
    let class = class(&test.file);
    let mut add = |name: &str, status: TestCaseStatus, step: Option<&StepReport>| {
        let repeat = test.repeat.map(|(number, of)| format!(" ({number} of {of})")).unwrap_or_default();
        let mut case = TestCase::new(line(&format!("{name}{repeat}"), censor), status);
        case.set_classname(line(&class, censor));
        case.set_time(step.map(|step| step.elapsed).unwrap_or_default());
        let said = step.map(|step| said(step, censor)).filter(|said| !said.is_empty());
        if let Some(said) = said {
            case.set_system_out(said);
        }
        suite.add_test_case(case);
    };
    for (name, step) in test.named_steps() {
        add(&name, status(test, step, censor), Some(step));
    }
    let own = test.own_reasons();
    if !own.is_empty() {
        add("the test itself", not_held(NonSuccessKind::Error, "error", &test.file, own, censor), None);
    } else if test.exit.is_none() && test.steps.is_empty() {
        add("the test itself", skipped(&test.why_not_begun(), censor), None);
    }
    let warnings = test.problems.iter().filter(|it| it.severity == Severity::Warning);
    let kept = test.kept.iter().map(|kept| format!("its database was kept: {}\n", block(kept, censor)));
    let said: Vec<String> = kept.chain(warnings.map(|it| drawn([it], censor))).collect();
    if !said.is_empty() {
        suite.set_system_out(said.join("\n"));
    }
    suite
}

/// What is said of the suite as a whole, if anything is.
fn whole(report: &SuiteReport, censor: Censor) -> Option<TestSuite> {
    let reasons = report.reasons();
    let mut suite = TestSuite::new(NAME);
    if !reasons.is_empty() {
        let status = not_held(NonSuccessKind::Error, "error", "", reasons, censor);
        let mut case = TestCase::new("the suite itself", status);
        case.set_classname("seedbed").set_time(report.elapsed);
        suite.add_test_case(case);
    }
    if !report.warnings.is_empty() {
        suite.set_system_out(drawn(&report.warnings, censor));
    }
    (report.stopped.is_some() || !report.warnings.is_empty()).then_some(suite)
}

fn properties(report: &SuiteReport, test: &TestReport) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("run", report.run.clone()),
        ("target", report.target.clone()),
        ("server_version", report.server.clone()),
        ("verdict", test.verdict().word().to_owned()),
    ];
    if test.exit.is_some() {
        properties.extend([("database", test.database.clone()), ("worker", test.worker.to_string())]);
    }
    if !test.tags.is_empty() {
        properties.push(("tags", test.tags.join(", ")));
    }
    properties.extend(test.repeat.map(|(number, of)| ("repeat", format!("{number}/{of}"))));
    properties.extend(report.shuffle.map(|seed| ("shuffle_seed", seed.to_string())));
    properties.extend(report.shard.map(|(part, of)| ("shard", format!("{part}/{of}"))));
    properties
}

/// How a step ended, and what its earlier tries ran into.
fn status(test: &TestReport, step: &StepReport, censor: Censor) -> TestCaseStatus {
    let kind = match step.end {
        End::NotRun | End::Skipped => return skipped(&test.why_not(step), censor),
        End::Error | End::Unknown => NonSuccessKind::Error,
        End::Accepted(_) | End::Updated(_) | End::Refused(_) => NonSuccessKind::Failure,
    };
    let mut status = match step.is_failed() {
        false => TestCaseStatus::success(),
        true => not_held(kind, step.end.word(), &place(step), test.reasons(step), censor),
    };
    for words in &step.retried {
        let mut rerun = TestRerun::new(kind);
        rerun.set_type("retried").set_message(line(words, censor)).set_description(block(words, censor));
        status.add_rerun(rerun);
    }
    status
}

fn not_held(kind: NonSuccessKind, word: &str, place: &str, why: Reasons, censor: Censor) -> TestCaseStatus {
    let diagnostics = why.iter().map(|it| -> &Diagnostic { it });
    let place = if place.is_empty() { String::new() } else { format!("{}\n\n", line(place, censor)) };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word).set_description(place + &drawn(diagnostics, censor));
    if let Some(first) = why.first() {
        status.set_message(line(&first.message, censor));
    }
    status
}

fn skipped(why: &str, censor: Censor) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(line(why, censor));
    status
}

/// What a step wrote, what else it said of its outcome, and what it was warned of.
fn said(step: &StepReport, censor: Censor) -> String {
    let is_run = !matches!(step.end, End::NotRun | End::Skipped);
    let detail = step.detail.iter().filter(|_| is_run).map(|detail| format!("{detail}\n"));
    let wrote = step.wrote.iter().map(|wrote| format!("wrote {}\n", printable(&wrote.words())));
    let mut said: String = detail.chain(wrote).collect();
    for warning in step.diagnostics.iter().filter(|it| it.severity == Severity::Warning) {
        said.push_str(&warning.render(false));
    }
    block(&said, censor)
}

fn place(step: &StepReport) -> String {
    let (line, _) = step.place.source.line_column(step.place.span.start as usize);
    format!("{}:{line}", step.place.source.path)
}

/// A file as a class in packages, which is how servers group cases: `scenarios/hr/roster.yml` is
/// `scenarios.hr.roster`.
fn class(file: &str) -> String {
    let stem = file.strip_suffix(".yml").or(file.strip_suffix(".yaml")).unwrap_or(file);
    let parts = stem.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let parts: Vec<String> = parts.map(|part| part.replace('.', "_")).collect();
    if parts.is_empty() { "seedbed".to_owned() } else { parts.join(".") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_classes_in_packages() {
        let check = |file: &str, expected: &str| assert_eq!(class(file), expected);
        check("scenarios/hr/roster.yml", "scenarios.hr.roster");
        check("roster.v2.yaml", "roster_v2");
        check("../other/./roster.yml", "other.roster");
        check("/home/ada/scenarios/roster.yml", "home.ada.scenarios.roster");
        check("", "seedbed");
    }
}
