//! Whatever anybody wrote, wherever it stands: it is text, without secrets, in a page that is one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use super::*;
use crate::plan::sent::Sent;
use crate::plan::wrote::Wrote;
use crate::project::control;
use crate::project::diagnostic::{Diagnostic, printable};
use crate::project::grid::Grid;
use crate::project::source::{Place, Source, Span};
use crate::report::exit::Exit;
use crate::report::suite::Template;
use crate::report::{End, Migrated, StepReport};
use crate::step::Outcome;

const SECRET: &str = "hunt<er>2";

/// The page of a report that has a text wherever it can have one.
fn page(text: &str) -> String {
    fn censor(text: &str) -> Cow<'_, str> {
        Cow::Owned(text.replace(SECRET, "***"))
    }
    document(&filled(text), &censor)
}

fn filled(text: &str) -> SuiteReport {
    let own = || text.to_owned();
    let source = Source::new(own(), format!("first {text}\nsecond\n{text} third {text}\n"));
    let third = source.text.rfind("third").unwrap();
    let grid = Grid {
        legend: Some("- expected, + returned"),
        lines: [" ", "-", "+", "~"].map(|sign| (sign, vec![own(), own()])).to_vec(),
        marked: vec![(2, vec![1])],
        more: vec![own()],
    };
    let diagnostic = Diagnostic::failed(own())
        .at(&source, Span::new(third, third + 5))
        .label(own())
        .context(Span::new(0, 5), own())
        .note(own())
        .note(format!("{text}\n`{text}`"))
        .grid(grid)
        .help(own());
    let ends = [
        End::Accepted(Outcome::Created),
        End::Updated(Outcome::Held),
        End::Refused(Outcome::Differs),
        End::Error,
        End::Unknown,
        End::NotRun,
        End::Skipped,
    ];
    let step = |end| StepReport {
        kind: "seed",
        title: own(),
        place: Place::new(&source, Span::new(0, 5)),
        end,
        is_final: true,
        detail: Some(own()),
        wrote: vec![Wrote { schema: own(), table: own(), rows: [1, 2, 3] }; 3],
        captured: None,
        rewrite: None,
        attempts: 2,
        retried: vec![own()],
        sent: [1, 200].map(|times| Sent { sql: own().repeat(times), values: vec![(own(), own())] }).into(),
        begun: Duration::ZERO,
        elapsed: Duration::from_millis(1),
        diagnostics: vec![diagnostic.clone()],
    };
    let test = |exit| TestReport {
        title: own(),
        file: own(),
        tags: vec![own()],
        repeat: Some((1, 2)),
        database: own(),
        kept: Some(own()),
        worker: 0,
        begun: Duration::ZERO,
        elapsed: Duration::from_millis(10),
        making: Duration::from_millis(1),
        dropping: Duration::from_millis(1),
        exit,
        steps: ends.map(step).to_vec(),
        again: ends.map(step).to_vec(),
        problems: vec![diagnostic.clone()],
    };
    let migrated = Migrated { title: own(), elapsed: Duration::ZERO, attempts: 2, is_other_s: true };
    SuiteReport {
        run: own(),
        target: own(),
        server: own(),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_secs(1),
        jobs: 2,
        shuffle: Some(7),
        shard: Some((1, 2)),
        templates: vec![Template {
            name: own(),
            version: None,
            is_new: true,
            elapsed: Duration::ZERO,
            migrations: vec![migrated],
        }],
        tests: [None, Some(Exit::Held), Some(Exit::DidNotHold), Some(Exit::Unreachable)].map(test).into(),
        stopped: Some((Exit::Invalid, vec![diagnostic.clone()])),
        warnings: vec![diagnostic.clone()],
    }
}

/// The names of the page's elements in order, and what stands between them, as a browser reads it.
fn elements(page: &str) -> (Vec<String>, String) {
    let (mut names, mut open, mut text) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once('<') {
        text.push_str(before);
        // In an attribute a `>` may stand.
        let mut is_quoted = false;
        let end = behind.find(|c| {
            is_quoted ^= c == '"';
            c == '>' && !is_quoted
        });
        let (tag, behind) = behind.split_at(end.expect("a tag has no end"));
        rest = &behind[1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "the wrong element ends");
            continue;
        }
        let name = tag.split_whitespace().next().unwrap().to_owned();
        if ["style", "script"].contains(&name.as_str()) {
            let (_, behind) = rest.split_once(&format!("</{name}>")).expect("raw text has an end");
            rest = behind;
        } else if !["!DOCTYPE", "meta", "link", "input"].contains(&name.as_str()) {
            open.push(name.clone());
        }
        names.push(name);
    }
    assert!(open.is_empty(), "{open:?} have no end");
    (names, text + rest)
}

/// What a browser shows of a text.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn hostile_texts_are_no_markup() {
    let (expected, _) = elements(&page("nothing"));
    for text in [
        "<script>alert(1)</script>",
        "</style></script></details><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' onmouseover='alert(1)",
        "<!-- ]]> --> <![CDATA[",
        "&lt;b&gt; &amp;lt; &#60;",
        "javascript:alert(1)",
        "\u{fffe}\u{202e}evil\u{2069}\u{1b}[31m\0\u{85}\r",
        "日本語 🌱 אב \u{e9}",
    ] {
        let page = page(text);
        let (names, shown) = elements(&page);
        assert_eq!(names, expected, "{text}");
        assert!(unescaped(&shown).contains(&printable(text)), "{text} is not shown as it is");
        let is_hidden = |c: char| control::is_harmful(c) && c != '\n';
        assert!(!page.contains(is_hidden), "{text}");
    }
}

#[test]
fn a_secret_is_nowhere() {
    for text in [SECRET.to_owned(), format!("before {SECRET} behind"), format!("{SECRET}{SECRET}")] {
        let page = page(&text);
        let (_, shown) = elements(&page);
        assert!(shown.contains("***"));
        for part in [SECRET, "hunt", "er>2", "er&gt;2", "hunt&lt;er&gt;2"] {
            assert!(!page.contains(part), "{part} of {text} is in the page");
        }
    }
}

#[test]
fn every_name_of_a_link_is_there_once() {
    let page = page("<b>");
    let values = |name: &str| -> Vec<String> {
        let begin = format!(" {name}=\"");
        page.split(&begin).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let ids = values("id");
    let once: HashSet<&String> = ids.iter().collect();
    assert_eq!(once.len(), ids.len());
    let links: Vec<String> =
        values("href").iter().filter_map(|it| it.strip_prefix('#')).map(str::to_owned).collect();
    assert!(links.len() > 10);
    let named = values("aria-labelledby").into_iter().chain(values("for"));
    for link in links.into_iter().chain(named) {
        assert!(once.contains(&link), "{link} leads nowhere");
    }
}

#[test]
fn a_suite_of_nothing_is_a_page() {
    let mut report = filled("x");
    report.tests.clear();
    for (stopped, expected) in [
        (Some((Exit::Unreachable, Vec::new())), "Stopped before any test was run"),
        (None, "No test was run"),
    ] {
        report.stopped = stopped;
        let page = document(&report, &|text| Cow::Borrowed(text));
        assert!(elements(&page).1.contains(expected), "{expected}");
    }
}

/// What is shown of a file, line by line, with `[` and `]` around what is marked.
fn excerpt(text: &str, span: Span, context: Option<Span>) -> String {
    fn censor(text: &str) -> Cow<'_, str> {
        Cow::Owned(text.replace(SECRET, "***").replace("two\nlines", "***"))
    }
    let source = Source::new("a.yaml", text);
    let mut diagnostic = Diagnostic::failed("x").at(&source, span).label("here");
    if let Some(context) = context {
        diagnostic = diagnostic.context(context, "in this");
    }
    let drawn = excerpt::draw(&Place::new(&source, span), &diagnostic, &Words::new(&censor)).into_string();
    let signs = [
        ("<mark class=\"meant\">", "["),
        ("<mark class=\"context\">", "["),
        ("<span class=\"number\">", "|"),
    ];
    let drawn = signs.iter().fold(drawn, |drawn, (tag, sign)| drawn.replace(tag, &format!("{tag}{sign}")));
    let drawn = drawn.replace("</mark>", "]</mark>").replace("</span>", " </span>");
    unescaped(&elements(&drawn).1)
}

#[test]
fn an_excerpt_shows_the_line_and_those_around_it() {
    let check = |text: &str, word: &str, context: Option<&str>, expected: &str| {
        let span = |word: &str| {
            let at = text.find(word).unwrap();
            Span::new(at, at + word.len())
        };
        let drawn = excerpt(text, span(word), context.map(span));
        let drawn: Vec<&str> = drawn.lines().map(str::trim_end).collect();
        assert_eq!(drawn.join("\n"), expected);
    };
    let steps = "steps:\r\n  - a: 1\r\n    b: 2\r\n    c: 3\r\n    d: ü 4\r\n";
    check(
        steps,
        "ü",
        Some("a"),
        "|2   - [a]: 1\n|     ╰ in this\n|3     b: 2\n|4     c: 3\n|5     d: [ü] 4\n|        ╰ here",
    );
    check("a: 1", "1", Some("a"), "|1 [a]: [1]\n|    ╰ here\n| ╰ in this");
    check("\ta", "a", None, "|1     [a]\n|     ╰ here");
    // A place at the end of all.
    check("a\n", "\n", None, "|1 a[ ]\n|  ╰ here");
    // A secret of which a part is meant.
    check("k: hunt<er>2\nnext", "er>2", None, "|1 [k: ***]\n| ╰ here\n|2 next");
    check("k: two\nlines\nnext", "two", None, "| k: ***\n| next");
    let long = format!("{}!{}", "a".repeat(1_000), "b".repeat(1_000));
    let expected = format!("|1 …{}[!]{}…\n|{}╰ here", "a".repeat(80), "b".repeat(80), " ".repeat(82));
    check(&long, "!", None, &expected);
}
