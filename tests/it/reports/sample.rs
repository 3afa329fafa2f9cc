//! The sample: a suite in which everything has happened that a report can tell.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use seedbed::plan::sent::Sent;
use seedbed::project::diagnostic::Diagnostic;
use seedbed::project::grid::Grid;
use seedbed::project::source::{Place, Source, Span};
use seedbed::report::exit::Exit;
use seedbed::report::suite::{SuiteReport, TestReport};
use seedbed::report::{End, StepReport};
use seedbed::step::Outcome;

use crate::reported::{self, ms, wrote};

/// What no report may have in it, however it is written there.
pub const SECRET: &str = "p<a&ss>w0\"rd";

/// What is markup somewhere, or cannot be seen.
pub const ODD: &str = "<&>\"' ]]> 100 % `a` ```b``` \u{1}\u{1b}[31m\u{202e}left\u{2069}\u{85}\u{ffff} 🦀 # | \\ \
    ::error::x, **c** <b>d</b> @all\ttab\n  Bail out!";

/// What the command line hands to a report.
pub fn censor(text: &str) -> Cow<'_, str> {
    match text.contains(SECRET) {
        true => Cow::Owned(text.replace(SECRET, "***")),
        false => Cow::Borrowed(text),
    }
}

const FILE: &str = "scenario: HR
steps:
  - seed: The roster
    from: roster
  - assert: HR has Alice and Bob
    query: select name, salary from employees
    rows: [{name: Alice, salary: 900}, {name: Bob, salary: 1000}]
  - delete: Bob leaves
    from: employees
    where: {name: Bob}
  - verify: Nobody is left over
    count: {employees: 2}
";

fn place(source: &Arc<Source>, words: &str) -> Place {
    let start = source.text.find(words).unwrap();
    Place::new(source, Span::new(start, start + words.len()))
}

fn step(source: &Arc<Source>, kind: &'static str, title: &str, end: End) -> StepReport {
    let start = source.text.find(&format!("{kind}: "));
    let span = start.map_or_else(Span::default, |start| Span::new(start, start + kind.len()));
    let step = reported::step(kind, title, Place::new(source, span), end);
    StepReport { begun: ms(5), elapsed: ms(12) * step.attempts, ..step }
}

fn seeded(source: &Arc<Source>) -> StepReport {
    StepReport {
        wrote: vec![wrote("departments", [2, 0, 0]), wrote("employees", [3, 1, 0])],
        detail: Some("5 rows inserted".to_owned()),
        ..step(source, "seed", "The roster", End::Accepted(Outcome::Created))
    }
}

fn test(title: &str, file: &str, exit: Option<Exit>, steps: Vec<StepReport>) -> TestReport {
    TestReport {
        database: "seedbed_t0123_1".to_owned(),
        begun: ms(200),
        elapsed: ms(40),
        making: ms(60),
        dropping: ms(30),
        ..reported::test(title, file, exit, steps)
    }
}

/// A test whose only step holds.
pub fn held() -> TestReport {
    let roster = Source::new("scenarios/hr/roster.yml", FILE);
    let sent = Sent {
        sql: "insert into employees (name) values ($1)".to_owned(),
        values: vec![("name".to_owned(), "Alice".to_owned()), (String::new(), SECRET.to_owned())],
    };
    let step = StepReport { sent: vec![sent], ..seeded(&roster) };
    TestReport {
        tags: vec!["ci".to_owned(), "hr & pay".to_owned()],
        ..test("Roster & its people", "scenarios/hr/roster.yml", Some(Exit::Held), vec![step])
    }
}

/// A test one of whose steps does not hold: its rows differ. The next one is not run, the last one fails too.
pub fn failed() -> TestReport {
    let source = Source::new("scenarios/pay.yml", FILE);
    let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let grid = Grid {
        legend: Some("- expected, + found, ~ differs"),
        lines: vec![
            (" ", cells(["name", "salary"])),
            ("-", cells(["Alice", "900"])),
            ("+", cells(["Alice", "800"])),
            ("+", cells([SECRET, "<b>1</b>"])),
        ],
        marked: vec![(2, vec![1])],
        more: Vec::new(),
    };
    let differs = Diagnostic::failed("assert `HR has Alice and Bob`: 1 row of 2 differs")
        .at_place(place(&source, "{name: Alice, salary: 900}"))
        .label("expected here")
        .note(format!("the token was {SECRET}"))
        .note(ODD)
        .grid(grid)
        .help("run with `--update` to accept what came back");
    let assert = StepReport {
        diagnostics: vec![differs],
        retried: vec!["connection reset by <peer>".to_owned()],
        attempts: 2,
        ..step(&source, "assert", "HR has Alice and Bob", End::Refused(Outcome::Differs))
    };
    let odd = Diagnostic::warning(format!("no row was looked at: {ODD}")).help("is the table empty?");
    let delete = step(&source, "delete", ODD, End::NotRun);
    let verify = StepReport {
        is_final: true,
        diagnostics: vec![
            Diagnostic::error("column \"salary\" does not exist").at_place(place(&source, "employees: 2")),
            Diagnostic::error("another one"),
            odd,
        ],
        ..step(&source, "verify", "Nobody is left over", End::Error)
    };
    TestReport {
        kept: Some(format!("psql 'host=localhost dbname=seedbed_t0123_2 password={SECRET}'")),
        worker: 1,
        ..test(
            ODD,
            "scenarios/pay.yml",
            Some(Exit::DidNotHold),
            vec![seeded(&source), assert, delete, verify],
        )
    }
}

/// A test that held, though one of its steps only at the third try, and one was left out.
pub fn flaky() -> TestReport {
    let source = Source::new("scenarios/shared.yml", FILE);
    let verify = StepReport {
        attempts: 3,
        retried: vec!["deadlock detected".to_owned(), format!("could not log in with {SECRET}")],
        ..step(&source, "verify", "Nobody is left over", End::Accepted(Outcome::Held))
    };
    let skipped = StepReport {
        detail: Some("waits for issue #12, <soon>".to_owned()),
        ..step(&source, "delete", "Bob leaves", End::Skipped)
    };
    test("Flaky", "scenarios/flaky.yml", Some(Exit::Held), vec![verify, skipped])
}

/// A test that was run twice on its database, and did not hold the second time.
pub fn twice() -> TestReport {
    let source = Source::new("scenarios/twice.yml", FILE);
    let present = Diagnostic::failed("seed `The roster`: it ended as `created`, not as `unchanged`")
        .at_place(place(&source, "from: roster"));
    let again = StepReport {
        diagnostics: vec![present],
        ..step(&source, "seed", "The roster", End::Refused(Outcome::Created))
    };
    let first = vec![seeded(&source)];
    TestReport { again: vec![again], ..test("Twice", "scenarios/twice.yml", Some(Exit::DidNotHold), first) }
}

/// A test whose connection was lost for good in the middle of a step.
pub fn lost() -> TestReport {
    let source = Source::new("/srv/project/scenarios/lost.yaml", FILE);
    let steps = vec![
        step(&source, "seed", "The roster", End::Unknown),
        step(&source, "assert", "HR has Alice and Bob", End::NotRun),
    ];
    let lost = Diagnostic::error("the server at db.example:5432 does not answer any more")
        .note("it was asked 4 times in 30 s")
        .help("is it being restarted?");
    TestReport { problems: vec![lost], ..test("Lost", &source.path, Some(Exit::Unknown), steps) }
}

/// A test whose database could not be made.
pub fn homeless() -> TestReport {
    let source = Source::new("scenarios/homeless.yml", FILE);
    let steps = vec![step(&source, "seed", "The roster", End::NotRun)];
    let full = Diagnostic::error("could not create database \"seedbed_t0123_6\": no space left on device");
    let slow = Diagnostic::warning("the template is 4 GB large").help("use fewer jobs");
    TestReport {
        problems: vec![full, slow],
        ..test("Homeless", "scenarios/homeless.yml", Some(Exit::Unreachable), steps)
    }
}

/// Two tests that were not begun, one of them without steps.
pub fn not_begun() -> [TestReport; 2] {
    let source = Source::new("scenarios/later.yml", FILE);
    let steps = vec![step(&source, "seed", "The roster", End::NotRun)];
    let blank = |title: &str, steps| TestReport {
        database: String::new(),
        begun: Duration::ZERO,
        elapsed: Duration::ZERO,
        making: Duration::ZERO,
        dropping: Duration::ZERO,
        ..test(title, "scenarios/later.yml", None, steps)
    };
    [blank("Later", steps), blank("Empty", Vec::new())]
}

/// A suite with all of them, and a test that is repeated.
pub fn suite() -> SuiteReport {
    let mut tests = vec![held(), failed(), flaky(), twice(), lost(), homeless()];
    for number in 1..=2 {
        let mut repeated = held();
        repeated.title = "Repeated".to_owned();
        repeated.repeat = Some((number, 2));
        tests.push(repeated);
    }
    tests.extend(not_begun());
    for (test, number) in tests.iter_mut().zip(1..).filter(|(test, _)| test.exit.is_some()) {
        test.database = format!("seedbed_t0123_{number}");
        test.begun = ms(100 * number);
        test.elapsed = ms(40 + number);
    }
    SuiteReport {
        run: "0011aabb".to_owned(),
        target: "ada@localhost:5432/roster".to_owned(),
        server: "15.18".to_owned(),
        started: SystemTime::UNIX_EPOCH + Duration::from_micros(1_767_323_045_000_067),
        elapsed: ms(1234),
        jobs: 2,
        shuffle: Some(42),
        shard: Some((1, 3)),
        templates: vec![reported::template("seedbed_template_0123", ms(90), &["V1 create_roster"], 8)],
        tests,
        stopped: None,
        warnings: vec![Diagnostic::warning("the scenarios share a sequence <seq>")],
    }
}

/// A suite that was stopped before its first test was done.
pub fn stopped() -> SuiteReport {
    let why = Diagnostic::error(format!("the server → db.example does not answer: {ODD}{SECRET}"));
    SuiteReport {
        shuffle: None,
        shard: None,
        templates: Vec::new(),
        tests: Vec::from(not_begun()),
        stopped: Some((Exit::Unreachable, vec![why])),
        warnings: Vec::new(),
        ..suite()
    }
}
