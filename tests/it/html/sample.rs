//! A report with everything in it that a page can show.

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

/// A password that a server told.
pub const SECRET: &str = "hunter<2>";

const ORDERS: &str = "scenario: Orders add up
tags: [orders, nightly]

steps:
  - seed: Customers and what they ordered
    fixtures: [customers, orders, order_lines]

  - assert: Each order has its total
    query: |
      select o.number, c.name, o.total, o.state
      from orders o join customers c on c.id = o.customer_id
      order by o.number
    rows:
      - {number: A-1, name: Alice, total: 42.50, state: paid}
      - {number: A-2, name: Bob, total: 17.00, state: open}
      - {number: A-3, name: Charlie, total: 9.95, state: open}
";

const REPORTS: &str = "create view revenue as
select date_trunc('month', o.paid_at) as month, sum(o.total) as revenue
from order o
group by 1;
";

/// The report.
pub fn report() -> SuiteReport {
    let mut tests =
        vec![roster(), orders(), reporting(), connection_lost(), twice(), hostile(), unreachable()];
    tests.extend((1..=3).map(repeated));
    tests.extend([not_run("Invoices are numbered without gaps"), not_run("Refunds")]);
    SuiteReport {
        run: "3f2a9c11".to_owned(),
        target: "postgres@localhost:5432/postgres".to_owned(),
        server: "15.18".to_owned(),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_898_200),
        elapsed: ms(1_840),
        jobs: 3,
        shuffle: Some(8_213_507),
        shard: Some((1, 2)),
        templates: vec![reported::template(
            "seedbed_t_9d1f30c2",
            ms(212),
            &["V1 create_roster", "V2 orders", "V3 order_lines"],
            14,
        )],
        tests,
        stopped: Some((
            Exit::DidNotHold,
            vec![
                Diagnostic::error("stopped after 3 tests that did not hold")
                    .help("`--fail-fast=5` goes on for longer"),
            ],
        )),
        warnings: vec![
            Diagnostic::warning("`total` has no tests for NULL")
                .at(
                    &Source::new("migrations/V2__orders.sql", "create table orders (\n  total numeric\n);\n"),
                    Span::new(24, 29),
                )
                .note("a warning of the linter, not of the server"),
        ],
    }
}

fn roster() -> TestReport {
    let mut steps = vec![
        step("seed", "Two departments and their people", End::Accepted(Outcome::Created)),
        step("assert", "Human Resources employs Alice and Bob", End::Accepted(Outcome::Held)),
        step("add", "David joins Information Technology", End::Accepted(Outcome::Added)),
        step("delete", "Bob leaves", End::Accepted(Outcome::Deleted)),
        step("sql", "Only on a newer server", End::Skipped),
        step("verify", "Alice stayed and Zoe never was", End::Accepted(Outcome::Held)),
    ];
    steps[0].wrote =
        vec![wrote("departments", [2, 0, 0]), wrote("employees", [4, 0, 0]), wrote("audit", [6, 0, 0])];
    steps[0].sent = vec![Sent {
        sql: "with given as (\n  select * from unnest($1::text[], $2::text[]) as t(name, location)\n)\ninsert into departments (name, location)\nselect name, location from given".to_owned(),
        values: vec![
            ("departments.name".to_owned(), "{Human Resources, Information Technology}".to_owned()),
            ("departments.location".to_owned(), "{Berlin, NULL}".to_owned()),
        ],
    }];
    steps[1].detail = Some("2 rows".to_owned());
    steps[2].wrote = vec![wrote("employees", [1, 0, 0])];
    steps[3].wrote = vec![wrote("employees", [0, 1, 1])];
    steps[4].detail = Some("`when` does not hold".to_owned());
    steps[5].is_final = true;
    TestReport {
        tags: vec!["bootstrap".to_owned()],
        ..test("Department roster", "scenarios/roster.yaml", 0, 0, steps)
    }
}

fn orders() -> TestReport {
    let source = Source::new("scenarios/orders.yaml", ORDERS);
    let mut steps = vec![
        step("seed", "Customers and what they ordered", End::Accepted(Outcome::Created)),
        step("assert", "Each order has its total", End::Refused(Outcome::Differs)),
        step("assert", "Nobody ordered nothing", End::NotRun),
    ];
    steps[0].wrote = vec![wrote("customers", [3, 0, 0]), wrote("orders", [3, 0, 0])];
    let line = |sign, cells: [&str; 4]| (sign, cells.map(str::to_owned).to_vec());
    let grid = Grid {
        legend: Some("- expected, + returned"),
        lines: vec![
            line(" ", ["number", "name", "total", "state"]),
            line(" ", ["A-1", "Alice", "42.50", "paid"]),
            line("-", ["A-2", "Bob", "17.00", "open"]),
            line("+", ["A-2", "Bob", "17.01", "'null'"]),
            line("-", ["A-3", "Charlie", "9.95", "open"]),
            ("+", vec!["(not kept: the result is larger than 16 MiB)".to_owned()]),
        ],
        marked: vec![(3, vec![2, 3])],
        more: vec!["14 rows are as expected, and not shown".to_owned()],
    };
    steps[1].diagnostics = vec![
        Diagnostic::failed("assert `Each order has its total`: 2 of 3 rows differ")
            .at(&source, span(ORDERS, "17.00"))
            .label("`17.01` came back")
            .context(span(ORDERS, "assert"), "in this step")
            .grid(grid)
            .note("assert `Each order has its total` was rolled back")
            .help("if `17.01` is right, `seedbed run --update` writes it into the file"),
    ];
    steps[1].sent = vec![Sent {
        sql: "select o.number, c.name, o.total, o.state\nfrom orders o join customers c on c.id = o.customer_id\norder by o.number".to_owned(),
        values: Vec::new(),
    }];
    TestReport {
        tags: vec!["orders".to_owned(), "nightly".to_owned()],
        kept: Some("psql 'postgresql://postgres@localhost:5432/seedbed_3f2a9c11_2'".to_owned()),
        exit: Some(Exit::DidNotHold),
        ..test("Orders add up", "scenarios/orders.yaml", 1, 0, steps)
    }
}

fn reporting() -> TestReport {
    let source = Source::new("scenarios/reports/revenue.sql", REPORTS);
    let mut steps = vec![step("sql", "The view of each month's revenue", End::Error)];
    steps[0].diagnostics = vec![
        Diagnostic::error(
            "sql `The view of each month's revenue`: syntax error at or near \"order\" (42601)",
        )
        .at(&source, span(REPORTS, "order o"))
        .note("sql `The view of each month's revenue` was rolled back")
        .help("`order` is a reserved word; the table is called `orders`"),
    ];
    TestReport {
        exit: Some(Exit::DidNotHold),
        ..test(
            "Revenue by month, with a title that is long enough to need a second line on most screens",
            "scenarios/reports/revenue.yaml",
            2,
            0,
            steps,
        )
    }
}

fn connection_lost() -> TestReport {
    let mut steps = vec![
        step("seed", "Stock of two warehouses", End::Accepted(Outcome::Created)),
        step("change", "A parcel is moved", End::Accepted(Outcome::Changed)),
    ];
    steps[1].attempts = 3;
    steps[1].elapsed = ms(160);
    steps[1].retried = vec![
        "the connection was closed by the server (57P01)".to_owned(),
        "deadlock detected (40P01)".to_owned(),
    ];
    steps[1].wrote = vec![wrote("stock", [0, 2, 0])];
    test("Parcels move between warehouses", "scenarios/stock.yaml", 0, 520, steps)
}

fn twice() -> TestReport {
    let first = vec![
        step("seed", "Currencies", End::Accepted(Outcome::Created)),
        step("add", "The euro", End::Accepted(Outcome::Added)),
    ];
    let mut again = vec![
        step("seed", "Currencies", End::Accepted(Outcome::Unchanged)),
        step("add", "The euro", End::Refused(Outcome::Added)),
    ];
    again[1].diagnostics = vec![
        Diagnostic::failed("add `The euro` wrote again: 1 row more in `currencies`")
            .help("name its `key`, so that it is found the second time"),
    ];
    TestReport {
        again,
        exit: Some(Exit::DidNotHold),
        ..test("Currencies may be loaded again", "scenarios/currencies.yaml", 1, 610, first)
    }
}

/// Everybody wrote something into it that no page may take for its own.
fn hostile() -> TestReport {
    let text =
        "</script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'>]]>\u{202e}evil\u{1b}[31m";
    let mut steps = vec![step("assert", text, End::Refused(Outcome::Differs))];
    let source = Source::new("scenarios/<b>.yaml", format!("query: select '{text}'\nrows: []\n"));
    steps[0].detail = Some(text.to_owned());
    steps[0].retried = vec![text.to_owned()];
    steps[0].wrote = vec![wrote(text, [1, 1, 1])];
    steps[0].sent =
        vec![Sent { sql: format!("select '{text}'"), values: vec![(text.to_owned(), text.to_owned())] }];
    steps[0].diagnostics = vec![
        Diagnostic::failed(format!("it said `{text}` and {SECRET}"))
            .at(&source, Span::new(7, 20))
            .label(text)
            .note(format!("{text}\n{text}"))
            .grid(Grid::of(vec![(" ", vec![text.to_owned()]), ("+", vec![text.to_owned()])]))
            .help(text),
    ];
    TestReport {
        tags: vec!["<i>tag</i>".to_owned()],
        exit: Some(Exit::DidNotHold),
        ..test(text, "scenarios/<b>.yaml", 2, 480, steps)
    }
}

fn unreachable() -> TestReport {
    TestReport {
        exit: Some(Exit::Unreachable),
        problems: vec![
            Diagnostic::error("the server accepts no more connections (53300)")
                .note("FATAL: sorry, too many clients already")
                .help("run fewer tests at the same time: `--jobs 2`"),
        ],
        ..test("Payments", "scenarios/payments.yaml", 2, 1_010, vec![step("seed", "Accounts", End::NotRun)])
    }
}

fn repeated(number: u32) -> TestReport {
    let steps = vec![step("assert", "Ids are taken in order", End::Accepted(Outcome::Held))];
    let (worker, begun) = ([0, 1, 2][number as usize - 1], 1_100 + 130 * u64::from(number));
    TestReport {
        repeat: Some((number, 3)),
        ..test("Sequences", "scenarios/sequences.yaml", worker, begun, steps)
    }
}

fn not_run(title: &str) -> TestReport {
    let steps = vec![step("seed", "Orders", End::NotRun)];
    TestReport { exit: None, database: String::new(), ..test(title, "scenarios/invoices.yaml", 0, 0, steps) }
}

/// A test that held; its steps begin one after another.
fn test(title: &str, file: &str, worker: usize, begun: u64, mut steps: Vec<StepReport>) -> TestReport {
    let mut elapsed = Duration::ZERO;
    for step in steps.iter_mut().filter(|step| step.attempts > 0) {
        step.begun = elapsed;
        elapsed += step.elapsed + ms(3);
    }
    TestReport {
        database: format!("seedbed_3f2a9c11_{}", begun / 10),
        worker,
        begun: ms(begun),
        elapsed,
        making: ms(36),
        dropping: ms(12),
        ..reported::test(title, file, Some(Exit::Held), steps)
    }
}

/// A step that took as long as its title is.
fn step(kind: &'static str, title: &str, end: End) -> StepReport {
    let place = Place::new(&Source::new("scenarios/a.yaml", "steps:\n"), Span::new(0, 5));
    StepReport { elapsed: ms(title.len() as u64 * 2), ..reported::step(kind, title, place, end) }
}

fn span(text: &str, word: &str) -> Span {
    let at = text.rfind(word).unwrap();
    Span::new(at, at + word.len())
}

/// As many tests as a large project has, of five steps each; every tenth failed.
pub fn large(tests: usize) -> SuiteReport {
    let mut report = report();
    let source: Arc<Source> = Source::new("scenarios/orders.yaml", ORDERS);
    report.stopped = None;
    report.tests = (0..tests)
        .map(|number| {
            let mut steps: Vec<StepReport> = (0..5)
                .map(|at| {
                    step("assert", &format!("Order {number} has its line {at}"), End::Accepted(Outcome::Held))
                })
                .collect();
            for step in &mut steps {
                step.sent = vec![Sent { sql: ORDERS.to_owned(), values: Vec::new() }];
                step.wrote = vec![wrote("orders", [3, 0, 0])];
            }
            let is_failed = number % 10 == 0;
            if is_failed {
                steps[4].end = End::Refused(Outcome::Differs);
                steps[4].diagnostics = vec![
                    Diagnostic::failed("2 of 3 rows differ")
                        .at(&source, span(ORDERS, "17.00"))
                        .help("look at it"),
                ];
            }
            let (worker, begun) = (number % 4, number as u64 / 4 * 400);
            TestReport {
                exit: Some(if is_failed { Exit::DidNotHold } else { Exit::Held }),
                ..test(&format!("Order {number}"), "scenarios/orders.yaml", worker, begun, steps)
            }
        })
        .collect();
    report
}
