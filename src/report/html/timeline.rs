//! What ran beside what: a lane for each worker, a bar for each of its tests.
//!
//! It is drawn with percentages of the lane's width, so it fits every screen. Those who do not see it have the
//! words beside each lane, and the list of tests.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::{Markup, html};

use super::words::Words;
use super::{mark, test};
use crate::project::diagnostic::count;
use crate::report::suite::{SuiteReport, TestReport, Verdict};
use crate::report::text::duration;

/// The least of a lane's width that a bar takes, in per cent: what is thinner is not seen.
const PART_MIN: f64 = 0.4;

/// The lanes; nothing where no test was begun.
pub fn draw(report: &SuiteReport, words: &Words) -> Markup {
    let mut lanes: BTreeMap<usize, Vec<(usize, &TestReport)>> = BTreeMap::new();
    for (number, test) in report.tests.iter().enumerate().filter(|(_, test)| test.exit.is_some()) {
        lanes.entry(test.worker).or_default().push((number, test));
    }
    let ends = report.tests.iter().map(|test| test.begun + test.elapsed + test.dropping);
    let all = ends.chain([report.elapsed]).max().unwrap_or_default().max(Duration::from_micros(1));
    let ticks = ticks(all);
    html! {
        @if !lanes.is_empty() {
            section .timeline aria-labelledby="timeline" {
                h2 #timeline { "Timeline" }
                @for (worker, tests) in &lanes { (lane(*worker, tests, all, &ticks, words)) }
                div .axis aria-hidden="true" {
                    span {}
                    svg {
                        @for (part, label) in &ticks { text x=(percent(*part)) y="12" { (label) } }
                    }
                }
                ul .legend aria-label="What the bars mean" {
                    li { svg { rect .isolating width="100%" height="100%" {} } " making and dropping its database" }
                    @for verdict in [Verdict::Held, Verdict::Flaky, Verdict::Failed, Verdict::Error] {
                        @let (sign, name) = mark::of_test(verdict);
                        @if report.count(verdict) > 0 {
                            li { svg { rect .(name) width="100%" height="100%" {} } " " (sign) " " (verdict.word()) }
                        }
                    }
                }
            }
        }
    }
}

fn lane(
    worker: usize,
    tests: &[(usize, &TestReport)],
    all: Duration,
    ticks: &[(f64, String)],
    words: &Words,
) -> Markup {
    let busy: Duration = tests.iter().map(|(_, test)| busy(test)).sum();
    html! {
        div .lane {
            p {
                "Worker " (worker + 1) " "
                small { (count(tests.len(), "test")) ", " (duration(busy)) }
            }
            svg aria-hidden="true" {
                @for (part, _) in ticks { line x1=(percent(*part)) x2=(percent(*part)) y2="100%" {} }
                @for (number, test) in tests { (bar(*number, test, all, words)) }
            }
        }
    }
}

/// A link, which the keyboard passes over: the list of tests has the same.
fn bar(number: usize, test: &TestReport, all: Duration, words: &Words) -> Markup {
    let part = |time: Duration| time.as_secs_f64() / all.as_secs_f64() * 100.0;
    let start = part(test.begun).min(100.0 - PART_MIN);
    let (making, dropping) = (part(test.making), part(test.dropping));
    let running = part(test.elapsed).max(PART_MIN);
    let verdict = test.verdict();
    let (sign, name) = mark::of_test(verdict);
    let is_loud = matches!(verdict, Verdict::Failed | Verdict::Error);
    // Those that failed are taller, which is seen without colours too.
    let (top, height) = if is_loud { ("1", "20") } else { ("5", "12") };
    html! {
        a href={ "#" (test::id(number)) } tabindex="-1" {
            title { (sign) " " (words.say(&test.name())) ", " (duration(test.elapsed)) }
            @for (from, width) in [((start - making).max(0.0), making), (start + running, dropping)] {
                @if width > 0.0 {
                    rect .isolating x=(percent(from)) width=(percent(width)) y="8" height="6" {}
                }
            }
            rect .(name) x=(percent(start)) width=(percent(running)) y=(top) height=(height) rx="2" {}
        }
    }
}

/// How long a test kept its worker busy.
fn busy(test: &TestReport) -> Duration {
    test.elapsed + test.isolating()
}

fn percent(part: f64) -> String {
    format!("{part:.2}%")
}

/// Round numbers along the axis, four or so: where, in per cent, and what is written there.
fn ticks(all: Duration) -> Vec<(f64, String)> {
    let seconds = all.as_secs_f64();
    let rough = seconds / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= rough).unwrap_or(rough);
    (0..)
        .map(|at| f64::from(at) * step)
        // The last one would stand half outside.
        .take_while(|at| *at <= seconds * 0.96)
        .map(|at| (at / seconds * 100.0, label(at, seconds, step)))
        .collect()
}

/// All of an axis have the same unit.
fn label(seconds: f64, all: f64, step: f64) -> String {
    let digits = |unit: f64| usize::from(step * unit < 1.0);
    match all {
        _ if seconds == 0.0 => "0".to_owned(),
        ..1.0 => format!("{:.*} ms", digits(1e3), seconds * 1e3),
        ..90.0 => format!("{seconds:.*} s", digits(1.0)),
        _ => format!("{}:{:02} min", seconds as u64 / 60, seconds as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_numbers() {
        let check = |milliseconds, expected: &[&str]| {
            let labels: Vec<String> =
                ticks(Duration::from_millis(milliseconds)).into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels, expected, "{milliseconds} ms");
        };
        check(38, &["0", "10 ms", "20 ms", "30 ms"]);
        check(1_840, &["0", "0.5 s", "1.0 s", "1.5 s"]);
        check(61_000, &["0", "20 s", "40 s"]);
        check(400_000, &["0", "1:40 min", "3:20 min", "5:00 min"]);
    }
}
