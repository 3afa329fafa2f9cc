//! The page of a suite, in a real browser.
//!
//! `SEEDBED_SCREENSHOTS=DIR scripts/test --test it html` also puts pictures of it there, to be looked at.

mod browser;
mod sample;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use browser::Browser;
use seedbed::report::html::document;
use seedbed::report::suite::SuiteReport;
use serde_json::json;
use tempfile::TempDir;

/// A page in a browser.
struct Page {
    browser: Browser,
    file: PathBuf,
    _directory: TempDir,
}

impl Page {
    fn of(report: &SuiteReport) -> Page {
        Page::with(report, |_| ())
    }

    /// With something that is told the browser before.
    fn with(report: &SuiteReport, before: impl Fn(&Browser)) -> Page {
        let directory = TempDir::new().unwrap();
        let file = write(directory.path(), report);
        let browser = Browser::start();
        browser.look(1280, 800, "light");
        before(&browser);
        browser.open(&file);
        Page { browser, file, _directory: directory }
    }

    /// The titles of the tests that are shown.
    fn shown(&self) -> Vec<String> {
        let titles = "[...document.querySelectorAll('.test')].filter((it) => it.checkVisibility())
            .map((it) => it.querySelector('h3').textContent)";
        serde_json::from_value(self.browser.value(titles)).unwrap()
    }

    /// Where the top of an element is on the screen.
    fn top(&self, selector: &str) -> f64 {
        let top = format!("document.querySelector({selector:?}).getBoundingClientRect().top");
        self.browser.value(&top).as_f64().unwrap()
    }

    fn is_open(&self, selector: &str) -> bool {
        self.browser.value(&format!("document.querySelector({selector:?}).open")) == true
    }

    /// Nothing but the file itself was loaded, and nothing was complained of.
    fn expect_quiet(&self) {
        let (loaded, complaints) = self.browser.heard();
        let own = format!("file://{}", self.file.display());
        let others: Vec<&String> =
            loaded.iter().filter(|url| **url != own && !url.starts_with("data:image/svg+xml,")).collect();
        assert!(loaded.contains(&own), "{loaded:?}");
        assert!(others.is_empty(), "the page loaded {others:?}");
        assert!(complaints.is_empty(), "the browser complained: {complaints:#?}");
    }
}

fn write(directory: &Path, report: &SuiteReport) -> PathBuf {
    fn censor(text: &str) -> Cow<'_, str> {
        Cow::Owned(text.replace(sample::SECRET, "***"))
    }
    let file = directory.join("report.html");
    std::fs::write(&file, document(report, &censor)).unwrap();
    file
}

#[test]
fn a_cell_that_differs_is_found_and_a_link_to_a_failure_leads_there() {
    let page = Page::of(&sample::report());
    let cells = "[...document.querySelectorAll('td.differs')].map((it) => it.textContent)";
    assert_eq!(page.browser.value(cells), json!(["17.00", "open", "17.01", "'null'"]));
    let marked = "[...document.querySelectorAll('#t2s2 mark')].map((it) => it.textContent)";
    assert_eq!(page.browser.value(marked), json!(["assert", "17.00"]));

    page.browser.value("document.querySelectorAll('details').forEach((it) => { it.open = false; })");
    page.browser.value("document.getElementById('show-flaky').click()");
    page.browser.click(".failures a[href='#t2s2']");
    assert!(page.is_open("#t2") && page.is_open("#t2s2 > details"));
    assert!((0.0..700.0).contains(&page.top("#t2s2")), "{}", page.top("#t2s2"));
    assert_eq!(page.browser.value("document.querySelector('#t2s2 .grid').checkVisibility()"), true);

    // Back to the top, and the same link once more.
    page.browser.value("document.getElementById('t2').open = false");
    page.browser.click(".failures a[href='#t2s2']");
    assert!(page.is_open("#t2"));
    page.expect_quiet();
}

#[test]
fn tests_are_filtered_by_how_they_ended_and_by_a_text() {
    let page = Page::of(&sample::report());
    let all = page.shown();
    assert_eq!(all.len(), 12);
    let places = ["Orders add up", "Parcels move between warehouses", "Refunds", "Department roster"]
        .map(|title| all.iter().position(|it| it == title).unwrap());
    assert!(places.is_sorted(), "failed ones come first, held ones last: {all:?}");

    page.browser.click("label[for=show-flaky]");
    assert_eq!(page.shown(), ["Parcels move between warehouses"]);
    page.browser.click("label[for=show-not-run]");
    assert_eq!(page.shown(), ["Invoices are numbered without gaps", "Refunds"]);
    page.browser.click("#search");
    page.browser.write("ReFund");
    assert_eq!(page.shown(), ["Refunds"]);
    page.browser.write("ed by nobody");
    assert_eq!(page.shown(), [""; 0]);
    assert_eq!(page.browser.value("document.getElementById('none').checkVisibility()"), true);
    page.browser.value("document.getElementById('search').value = ''");
    page.browser.click("label[for=show-all]");
    assert_eq!(page.shown(), all);

    // A step's title, a tag, a file.
    for (text, expected) in [("David joins", 1), ("nightly", 1), ("sequences.yaml", 3)] {
        page.browser.value("document.getElementById('search').value = ''");
        page.browser.click("#search");
        page.browser.write(text);
        assert_eq!(page.shown().len(), expected, "{text}");
    }
    page.expect_quiet();
}

#[test]
fn without_scripts_all_but_the_search_is_there() {
    let page = Page::with(&sample::report(), Browser::forbid_scripts);
    assert_eq!(page.browser.value("document.getElementById('search').hidden"), true);
    page.browser.click("label[for=show-flaky]");
    assert_eq!(page.shown(), ["Parcels move between warehouses"]);
    assert!(!page.is_open("#t4"));
    page.browser.click("#t4 > summary");
    assert!(page.is_open("#t4"));
    page.expect_quiet();
}

#[test]
fn it_fits_a_phone_and_follows_the_colour_scheme() {
    let page = Page::of(&sample::report());
    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        page.browser.look(360, 740, scheme);
        page.browser.value("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
        let width = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)";
        assert_eq!(page.browser.value(width), 360, "the page is wider than the phone");
        grounds.push(page.browser.value(ground));
    }
    assert_ne!(grounds[0], grounds[1]);
    page.expect_quiet();
}

#[test]
fn what_others_wrote_stays_text() {
    let page = Page::of(&sample::report());
    assert_eq!(page.browser.value("window.hurt ?? 'unhurt'"), "unhurt");
    for stranger in ["img", "i", "script ~ *", "[onerror]"] {
        let count = format!("document.querySelectorAll({stranger:?}).length");
        assert_eq!(page.browser.value(&count), 0, "{stranger}");
    }
    let title = page.browser.value("document.querySelector('#t6 h3').textContent");
    assert!(title.as_str().unwrap().starts_with("</script><script>"), "{title}");
    let text = page.browser.value("document.body.textContent");
    assert!(text.as_str().unwrap().contains("and ***"));
    page.expect_quiet();
}

#[test]
fn a_thousand_tests_stay_usable() {
    let report = sample::large(1_000);
    let page = Page::of(&report);
    let bytes = std::fs::metadata(&page.file).unwrap().len();
    assert!(bytes < 5_000_000, "{bytes} bytes");
    assert_eq!(page.shown().len(), 1_000);
    page.browser.click("#search");
    page.browser.write("order 77");
    assert_eq!(page.shown().len(), 11);
    page.browser.value("location.hash = '#t778s3'");
    page.browser.click("#t778s3 .sql > summary");
    assert!((0.0..700.0).contains(&page.top("#t778s3")), "{}", page.top("#t778s3"));
    // The SQL of all stands in the page once; the link to it leads out of what is shown.
    page.browser.click("#t778s3 .sql a");
    assert!((0.0..700.0).contains(&page.top("#t1s1q1")), "{}", page.top("#t1s1q1"));
    assert_eq!(page.browser.value("document.getElementById('t1s1q1').checkVisibility()"), true);
    page.expect_quiet();
}

#[test]
fn pictures_are_taken_for_those_who_ask() {
    let Some(directory) = std::env::var_os("SEEDBED_SCREENSHOTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&directory).unwrap();
    let page = Page::of(&sample::report());
    for (name, width) in [("desktop", 1280), ("phone", 360)] {
        for scheme in ["light", "dark"] {
            // What is out of sight is not drawn, so the screen is as high as the page.
            page.browser.look(width, 10_000, scheme);
            let height = page.browser.value("document.body.getBoundingClientRect().height.toFixed()");
            page.browser.look(width, height.as_str().unwrap().parse().unwrap(), scheme);
            std::fs::write(directory.join(format!("{name}-{scheme}.png")), page.browser.picture()).unwrap();
        }
    }
    std::fs::copy(&page.file, directory.join("report.html")).unwrap();
}
