//! Annotations: what GitHub shows beside the lines of files, as commands in a job's log.

use crate::project::diagnostic::{Diagnostic, Severity, count};
use crate::project::source::Place;
use crate::report::StepReport;
use crate::report::problems::Reasons;
use crate::report::shown::{block, line};
use crate::report::suite::{Censor, SuiteReport, TestReport};

/// The most annotations of a kind that GitHub shows for one step of a job.
const COUNT_MAX: usize = 10;
/// The most characters of a title.
const TITLE_MAX: usize = 200;
/// The most characters of the words below it.
const WORDS_MAX: usize = 4000;

/// One of them, before anything is escaped.
struct Annotation {
    title: String,
    words: String,
    at: At,
}

/// What it stands beside.
#[derive(Clone)]
enum At {
    Nothing,
    File(String),
    Place(Place),
}

/// The most important errors and warnings, one for each step that failed or was tried again.
pub fn annotations(report: &SuiteReport, censor: Censor) -> String {
    let mut text = commands("error", errors(report), censor);
    text.push_str(&commands("warning", warnings(report), censor));
    text
}

/// What stopped the suite, what stopped a test, the first step of each test that failed, the others.
fn errors(report: &SuiteReport) -> Vec<Annotation> {
    let whole = reasons("seedbed test", &report.reasons(), At::Nothing);
    let own = report.tests.iter();
    let own = own.filter_map(|test| reasons(&test.name(), &test.own_reasons(), At::File(test.file.clone())));
    let mut errors: Vec<Annotation> = whole.into_iter().chain(own).collect();
    let mut others = Vec::new();
    for test in &report.tests {
        let steps = test.named_steps().filter(|(_, step)| step.is_failed());
        let mut steps = steps.filter_map(|(name, step)| {
            reasons(&title(test, &name), &test.reasons(step), At::Place(step.place.clone()))
        });
        errors.extend(steps.next());
        others.extend(steps);
    }
    errors.extend(others);
    errors
}

/// Steps that did not hold at the first try, then what was warned of.
fn warnings(report: &SuiteReport) -> Vec<Annotation> {
    let flaky = |test: &TestReport, name: &str, step: &StepReport| Annotation {
        title: format!("flaky: {}", title(test, name)),
        words: format!("held at try {}, after: {}", step.attempts, step.retried.join("; ")),
        at: At::Place(step.place.clone()),
    };
    let mut warnings = Vec::new();
    for test in &report.tests {
        let steps = test.named_steps().filter(|(_, step)| step.is_flaky());
        warnings.extend(steps.map(|(name, step)| flaky(test, &name, step)));
    }
    for test in &report.tests {
        let own = test.problems.iter().filter(is_warning);
        warnings.extend(own.map(|it| annotation(test.name(), it, At::File(test.file.clone()))));
        for (name, step) in test.named_steps() {
            let said = step.diagnostics.iter().filter(is_warning);
            let at = At::Place(step.place.clone());
            warnings.extend(said.map(|it| annotation(title(test, &name), it, at.clone())));
        }
    }
    let whole = report.warnings.iter().map(|it| annotation("seedbed test".to_owned(), it, At::Nothing));
    warnings.extend(whole);
    warnings
}

fn is_warning(diagnostic: &&Diagnostic) -> bool {
    diagnostic.severity == Severity::Warning
}

fn title(test: &TestReport, step: &str) -> String {
    format!("{} › {step}", test.name())
}

/// The first of some reasons, with the messages of the others.
fn reasons(title: &str, reasons: &Reasons, at: At) -> Option<Annotation> {
    let (first, others) = reasons.split_first()?;
    let mut annotation = annotation(title.to_owned(), first, at);
    for other in others {
        annotation.words.push_str(&format!("\nalso: {}", other.message));
    }
    Some(annotation)
}

/// A problem, beside its own place if it has one.
fn annotation(title: String, diagnostic: &Diagnostic, at: At) -> Annotation {
    let label = diagnostic.label.iter().map(|label| format!("here: {label}"));
    let notes = diagnostic.notes.iter().cloned();
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let message = std::iter::once(diagnostic.message.clone());
    let words: Vec<String> = message.chain(label).chain(notes).chain(help).collect();
    Annotation { title, words: words.join("\n"), at: diagnostic.place.clone().map_or(at, At::Place) }
}

/// Not more than GitHub shows; the last one says how many there would be.
fn commands(kind: &str, mut annotations: Vec<Annotation>, censor: Censor) -> String {
    let left = annotations.len().saturating_sub(COUNT_MAX);
    if left > 0 {
        annotations.truncate(COUNT_MAX - 1);
        let words =
            format!("{} can be read in the summary of the job", count(left + 1, &format!("more {kind}")));
        annotations.push(Annotation { title: "seedbed test".to_owned(), words, at: At::Nothing });
    }
    annotations.iter().map(|annotation| command(kind, annotation, censor)).collect()
}

fn command(kind: &str, annotation: &Annotation, censor: Censor) -> String {
    let mut properties = Vec::new();
    let mut file = |path: &str| properties.push(format!("file={}", property(&block(path, censor))));
    match &annotation.at {
        At::File(path) if !path.is_empty() => file(path),
        At::Place(Place { source, span }) if !source.path.is_empty() => {
            let (row, column) = source.line_column(span.start as usize);
            let (row_last, _) = source.line_column(span.end.saturating_sub(1).max(span.start) as usize);
            file(&source.path);
            properties.push(format!("line={row},endLine={row_last},col={column}"));
        }
        _ => {}
    }
    properties.push(format!("title={}", property(&cut(&line(&annotation.title, censor), TITLE_MAX))));
    let words = data(&cut(&block(&annotation.words, censor), WORDS_MAX));
    format!("::{kind} {}::{words}\n", properties.join(","))
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands behind a `=`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::project::source::{Source, Span};

    #[test]
    fn commands_are_escaped_and_point_at_lines() {
        let source = Source::new("a,b:c.yml", "one\ntwo\nthree\n");
        let diagnostic = Diagnostic::failed("100 % wrong::\r\n::error::x").at(&source, Span::new(5, 9));
        let annotation = annotation("T: 1, 2".to_owned(), &diagnostic, At::Nothing);
        let expected = "::error file=a%2Cb%3Ac.yml,line=2,endLine=3,col=2,title=T%3A 1%2C 2\
            ::100 %25 wrong::\\r%0A::error::x\n";
        assert_eq!(command("error", &annotation, &|text| Cow::Borrowed(text)), expected);
    }

    #[test]
    fn the_last_one_counts_those_that_are_not_shown() {
        let one = |number| Annotation { title: format!("t{number}"), words: String::new(), at: At::Nothing };
        let check = |number: usize, shown: usize, last: &str| {
            let text = commands("error", (0..number).map(one).collect(), &|text| Cow::Borrowed(text));
            assert_eq!((text.lines().count(), text.lines().last()), (shown, Some(last)));
        };
        check(10, 10, "::error title=t9::");
        check(11, 10, "::error title=seedbed test::2 more errors can be read in the summary of the job");
    }
}
