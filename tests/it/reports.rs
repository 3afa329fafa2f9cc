//! Reports of a suite: each form of a sample is as written in `tests/reports/`, and is read by those that it is
//! written for. Run with `SNAPSHOTS=overwrite` to accept new ones.

mod sample;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use sample::{ODD, SECRET, censor};
use seedbed::project::diagnostic::Diagnostic;
use seedbed::report::suite::{Censor, SuiteReport};
use seedbed::report::{github, junit, lines, tap};
use serde_json::Value;

/// A form of a report.
type Form = fn(&SuiteReport, Censor) -> String;

/// Every form, and how the names of its files end.
const FORMS: [(&str, Form); 5] = [
    ("xml", junit::document),
    ("tap", tap::document),
    ("jsonl", lines::document),
    ("annotations", github::annotations),
    ("md", github::summary),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn suites() -> [(&'static str, SuiteReport); 2] {
    [("suite", sample::suite()), ("stopped", sample::stopped())]
}

/// What a program says of a file, and whether it ended well.
fn ask(program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    ask_with(&[], program, arguments, text)
}

/// The same with variables in its environment.
fn ask_with(variables: &[(&str, &str)], program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let output =
        Command::new(program).args(arguments).arg(file.path()).envs(variables.iter().copied()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; scripts/tools gets it"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).replace(&*file.path().to_string_lossy(), "[report]");
    (output.status.success(), said)
}

#[test]
fn every_form_is_as_written() {
    let version = format!("\"seedbed\":\"{}\"", env!("CARGO_PKG_VERSION"));
    for (name, report) in suites() {
        for (form, document) in FORMS {
            let text = document(&report, &censor).replace(&version, "\"seedbed\":\"[version]\"");
            let path = root().join(format!("tests/reports/{name}.{form}"));
            let expected = snapbox::Data::read_from(&path, None);
            snapbox::Assert::new().action_env("SNAPSHOTS").eq(text, expected.raw());
        }
    }
}

#[test]
fn no_form_has_a_secret_or_a_character_that_nobody_sees() {
    let json = Value::from(SECRET).to_string();
    let xml = SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    for (name, report) in suites() {
        for (form, document) in FORMS {
            let text = document(&report, &censor);
            for secret in [SECRET, json.trim_matches('"'), &xml, "w0\"rd", "ss>w0", "ss&gt;w0"] {
                assert!(!text.contains(secret), "{name}.{form} has {secret}");
            }
            assert!(text.contains("***"), "{name}.{form}");
            // In JSON they are data, and a reader may want them.
            let odd = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
            assert!(form == "jsonl" || odd.is_none(), "{name}.{form} has {odd:?}");
            assert!(form == "jsonl" || !text.contains(['\u{202e}', '\u{ffff}']), "{name}.{form}");
        }
    }
}

#[test]
fn jenkins_takes_the_junit_report() {
    let schema = root().join("tests/junit.xsd");
    for (name, report) in suites() {
        let text = junit::document(&report, &censor);
        let (is_valid, said) = ask("xmllint", &["--noout", "--schema", schema.to_str().unwrap()], &text);
        assert!(is_valid, "{name}: {said}");
        // The counts are those of the cases, and another reader finds the words as they were.
        let value = |path: &str| ask("xmllint", &["--xpath", path], &text).1.trim().to_owned();
        for (attribute, element) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
            let counted = value(&format!("count(//{element})"));
            assert_eq!(value(&format!("string(/testsuites/@{attribute})")), counted, "{name}: {attribute}");
            assert_eq!(value(&format!("sum(//testsuite/@{attribute})")), counted, "{name}: {attribute}");
        }
        assert_eq!(value("sum(//testsuite/@skipped)"), value("count(//skipped)"), "{name}");
        let twice = "count(//testcase[concat(@classname, @name) = \
            concat(preceding::testcase/@classname, preceding::testcase/@name)])";
        assert_eq!(value(twice), "0", "{name}: cases have names of their own");
    }
    let text = junit::document(&sample::suite(), &censor);
    let title = "string(//testsuite[2]/@name)";
    let shown = ODD.replace('\u{1}', "\\u{1}").replace('\u{1b}', "\\u{1b}").replace('\u{85}', "\\u{85}");
    let shown = shown.replace('\u{202e}', "\\u{202e}").replace('\u{2069}', "\\u{2069}");
    let shown = shown.replace('\u{ffff}', "\\u{ffff}").replace('\n', " ").replace('\t', "    ");
    assert_eq!(ask("xmllint", &["--xpath", title], &text).1.trim_end(), shown);
}

#[test]
fn prove_takes_the_tap_report() {
    let check = |report: &SuiteReport, expected: &[&str]| {
        let text = tap::document(report, &censor);
        // When it repeats what it read, it takes no more than Latin-1 for granted.
        let unicode = [("PERL_UNICODE", "S")];
        for (variables, mode) in [(&unicode[..0], "--normalize"), (&unicode[..], "--verbose")] {
            let (is_held, said) = ask_with(variables, "prove", &[mode, "--exec", "cat"], &text);
            assert_eq!(is_held, report.exit().code() == 0, "{said}");
            for words in expected {
                assert!(said.contains(words), "{words}\n{said}");
            }
            assert!(!said.contains("Wide character") && !said.contains("Parse error"), "{said}");
        }
    };
    check(&sample::suite(), &["Tests: 10 Failed: 4", "Failed tests:  2, 4-6", "less 2 skipped subtests"]);
    check(&sample::stopped(), &["Further testing stopped: "]);
    let only = |tests| SuiteReport { tests, warnings: Vec::new(), ..sample::suite() };
    check(&only(vec![sample::held(), sample::flaky()]), &["All tests successful", "Tests=2"]);
    check(&only(Vec::new()), &["skipped: no tests"]);
}

/// What is said of a test in TAP is read as YAML by more than one reader.
#[test]
fn a_block_of_the_tap_report_says_what_failed_and_where() {
    let text = tap::document(&sample::suite(), &censor);
    let block = text.split("not ok 2 - ").nth(2).unwrap();
    let block = block.split("  ---\n").nth(1).unwrap().split("  ...\n").next().unwrap();
    let said: Value = serde_yaml::from_str(block).unwrap();
    assert_eq!(said["message"], "assert `HR has Alice and Bob`: 1 row of 2 differs");
    assert_eq!(said["severity"], "failed");
    assert_eq!(said["at"]["file"], "scenarios/pay.yml");
    assert_eq!((&said["at"]["line"], &said["at"]["column"]), (&Value::from(7), &Value::from(12)));
    assert!(said["diagnostic"].as_str().unwrap().contains("\n --> scenarios/pay.yml:7:12\n"));
}

#[test]
fn every_line_is_an_object_with_the_fields_of_the_page() {
    let page = fs::read_to_string(root().join("docs/reports.md")).unwrap();
    let (_, page) = page.split_once("## JSON lines").unwrap();
    let page = page.split("\n## ").next().unwrap();
    let mut events = BTreeSet::new();
    let mut fields = BTreeSet::new();
    for (_, report) in suites() {
        let text = lines::document(&report, &censor);
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            assert!(line.starts_with("{\"version\":1,\"event\":\""), "{line}");
            let value: Value = serde_json::from_str(line).unwrap();
            let event = value["event"].as_str().unwrap().to_owned();
            let section = page.split("\n### ").find(|it| it.starts_with(&format!("`{event}`")));
            let section = section.unwrap_or_else(|| panic!("the page has no {event}"));
            names(&value, "", &mut |name| {
                let known = section.contains(&format!("| `{name}` |"))
                    || page.split("\n### ").next().unwrap().contains(&format!("| `{name}` |"))
                    || page.contains(&format!("| `problems.{name}` |"));
                assert!(known, "the page does not name {name} of {event}");
                fields.insert(name.strip_prefix("problems.").unwrap_or(name).to_owned());
            });
            events.insert(event);
        }
    }
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().unwrap();
        let name = name.strip_prefix("problems.").unwrap_or(name);
        assert!(fields.contains(name), "no line has {name}");
    }
    let told = page.split("\n### `").skip(1).map(|section| section.split('`').next().unwrap().to_owned());
    assert_eq!(told.collect::<BTreeSet<_>>(), events);
}

/// The names of all fields, those inside of others as `outer.inner`.
fn names(value: &Value, outer: &str, say: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if outer.is_empty() { name.clone() } else { format!("{outer}.{name}") };
                say(&name);
                names(value, &name, say);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, outer, say)),
        _ => {}
    }
}

#[test]
fn a_page_for_github_has_at_most_a_mebibyte_and_says_what_it_leaves_out() {
    let mut report = sample::suite();
    let long = "a line of a problem that is very long\n".repeat(2000);
    report.tests = (0..30).map(|_| sample::failed()).collect();
    for test in &mut report.tests {
        test.steps[1].diagnostics.push(Diagnostic::failed(long.clone()));
    }
    let text = github::summary(&report, &censor);
    assert!(text.len() <= 1024 * 1024 && text.len() > 900 * 1024, "{}", text.len());
    assert!(text.contains("entries are left out"), "{}", &text[text.len() - 200..]);
    assert!(text.contains("</details>"));
    let fences = text.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(fences % 2, 0);
}

#[test]
fn every_failed_step_is_counted_wherever_its_reason_stands() {
    let report = sample::suite();
    for test in &report.tests {
        let mut failed = test.all_steps().filter(|step| step.is_failed());
        assert!(failed.all(|step| !test.reasons(step).is_empty()));
    }
    let mut silent = sample::held();
    silent.exit = Some(seedbed::report::exit::Exit::Interrupted(2));
    let reasons = silent.own_reasons();
    assert_eq!(reasons[0].message, "the test was interrupted by signal 2");
}
