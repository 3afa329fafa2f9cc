//! The report of a suite as a page: one file that needs nothing else, for a person and a browser.
//!
//! Whatever authors and servers wrote goes through `words.rs`, which takes secrets out of it, and then
//! through maud, which escapes it. The page loads nothing, and only the style and the script that stand in it
//! have an effect; without the script all but the search for a text works.

mod diagnostic;
mod excerpt;
mod failures;
mod grid;
mod mark;
mod masthead;
mod policy;
mod sent;
mod step;
mod test;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::suite::{Censor, SuiteReport, TestReport, Verdict};
use sent::Firsts;
use words::Words;

/// What makes it look as it does.
const STYLE: &str = include_str!("html/page.css");
/// What searches, and opens what a link leads to.
const SCRIPT: &str = include_str!("html/page.js");

/// The page.
pub fn document(report: &SuiteReport, censor: Censor) -> String {
    let words = Words::new(censor);
    let icon = mark::icon(report.exit());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy::policy(STYLE, SCRIPT));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "seedbed " (env!("CARGO_PKG_VERSION")) };
                title { (masthead::outcome(report)) " · seedbed" }
                link rel="icon" href=(icon);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#tests" { "Skip to the tests" }
                (masthead::draw(report, &words))
                (failures::draw(report, &words))
                main {
                    (timeline::draw(report, &words))
                    (tests(report, &words))
                }
                footer {
                    "Written by seedbed " (env!("CARGO_PKG_VERSION")) ", run " code { (words.say(&report.run)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The list of tests: what needs a look first, and everything else as it was.
fn tests(report: &SuiteReport, words: &Words) -> Markup {
    if report.tests.is_empty() {
        return html! { section #tests aria-label="Tests" { p .empty { "No test was run." } } };
    }
    let firsts = Firsts::of(report);
    let mut tests: Vec<(usize, &TestReport)> = report.tests.iter().enumerate().collect();
    tests.sort_by_key(|(_, test)| rank(test.verdict()));
    html! {
        section #tests aria-labelledby="tests-title" {
            div .bar {
                h2 #tests-title { "Tests" }
                (filter(report))
            }
            p #none role="status" hidden { "No test is like that." }
            @for (number, test) in tests { (test::draw(number, test, &firsts, words)) }
        }
    }
}

/// Failed ones come first, then those that are to be looked at.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Failed | Verdict::Error => 0,
        Verdict::Flaky => 1,
        Verdict::NotRun => 2,
        Verdict::Held => 3,
    }
}

/// Which tests are shown. The buttons work by style alone; the search for a text appears with the script.
fn filter(report: &SuiteReport) -> Markup {
    let choices = [
        ("all", "All", report.tests.len()),
        ("failed", "Failed", report.count(Verdict::Failed) + report.count(Verdict::Error)),
        ("flaky", "Flaky", report.count(Verdict::Flaky)),
        ("not-run", "Not run", report.count(Verdict::NotRun)),
    ];
    html! {
        form #filter role="search" autocomplete="off" {
            fieldset {
                legend .unseen { "Which tests are shown" }
                @for (name, label, count) in choices {
                    input .unseen type="radio" name="show" id={ "show-" (name) } value=(name)
                        checked[name == "all"] disabled[count == 0];
                    label for={ "show-" (name) } { (label) " " span .number { (count) } }
                }
            }
            input #search type="search" aria-label="Show tests with this text" placeholder="Title, file, tag or step" hidden;
        }
    }
}
