//! Matchers: what a map of `$` keys says of a value that is expected, instead of naming it.
//!
//! ```yaml
//! {$any: true}                     # whatever it is, NULL too
//! {$not_null: true}
//! {$gt: 2, $lte: 10}               # also $gte and $lt; those beside each other hold together
//! {$between: [2, 10]}              # both bounds included
//! {$approx: 3.14, $within: 0.01}   # without `$within`: a millionth of it
//! {$near: now, $within: 1 minute}  # a time; `now` is the server's, `{$now: -3d}` counts from the run's
//! {$matches: '^A'}                 # PostgreSQL's regular expressions
//! {$one_of: [red, green]}
//! {$not: 0}                        # a value or another matcher
//! {$len: 3}                        # characters, elements, members or bytes; a number or a matcher
//! {$contains: x}                   # a part of a text, array, range or of JSON
//! ```

use super::diagnostic::{did_you_mean, list};
use super::instruction::{self, Instruction, Purpose, interval};
use super::reading::Reading;
use super::value::check_cell_for;
use super::yaml::{Content, Entry, Node};

/// Every matcher, in the order the manual lists them.
pub const WORDS: &[&str] = &[
    "$any",
    "$not_null",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$between",
    "$approx",
    "$near",
    "$matches",
    "$one_of",
    "$not",
    "$len",
    "$contains",
];
/// What stands beside `$approx` and `$near`.
pub const WITHIN: &str = "$within";

/// How near a time has to be where `$within` is not said.
const NEAR: &str = "+5 seconds";

/// What a value must be like.
#[derive(Debug, Clone, Copy)]
pub enum Matcher<'n> {
    /// Anything.
    Any,
    /// Not NULL.
    NotNull,
    /// On this side of a bound.
    Beyond(Side, &'n Node),
    /// From one bound to another, both included.
    Between(&'n Node, &'n Node),
    /// This number, give or take another.
    Approx(&'n Node, Option<&'n Node>),
    /// This time, give or take an interval.
    Near(&'n Node, Option<&'n Node>),
    /// A text in which this regular expression is found.
    Matches(&'n Node),
    /// One of these.
    OneOf(&'n [Node]),
    /// Not that.
    Not(&'n Node),
    /// As long as this.
    Len(&'n Node),
    /// With that in it.
    Contains(&'n Node),
}

/// A side of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Above it, or below.
    pub is_above: bool,
    /// Whether the bound itself is allowed.
    pub is_closed: bool,
}

impl Side {
    /// Its operator in SQL.
    pub fn operator(self) -> &'static str {
        match (self.is_above, self.is_closed) {
            (true, false) => ">",
            (true, true) => ">=",
            (false, false) => "<",
            (false, true) => "<=",
        }
    }
}

/// The matchers that a node consists of, if it does. All of them have to hold.
pub fn all(node: &Node) -> Option<Vec<Matcher<'_>>> {
    let Content::Map(entries) = &node.content else { return None };
    if entries.is_empty() || !entries.iter().all(|entry| is_word(&entry.key)) {
        return None;
    }
    let within = entries.iter().find(|entry| entry.key == WITHIN).map(|entry| &entry.value);
    let matchers = entries.iter().filter(|entry| entry.key != WITHIN);
    Some(matchers.filter_map(|entry| one(entry, within)).collect())
}

fn is_word(key: &str) -> bool {
    key == WITHIN || WORDS.contains(&key)
}

/// Whether a node is a matcher or has one in it.
pub fn is_in(node: &Node) -> bool {
    match &node.content {
        Content::List(items) => items.iter().any(is_in),
        Content::Map(entries) => {
            entries.iter().any(|entry| is_word(&entry.key)) || entries.iter().any(|entry| is_in(&entry.value))
        }
        _ => false,
    }
}

fn one<'n>(entry: &'n Entry, within: Option<&'n Node>) -> Option<Matcher<'n>> {
    let value = &entry.value;
    let side = |is_above, is_closed| Matcher::Beyond(Side { is_above, is_closed }, value);
    Some(match (entry.key.as_str(), &value.content) {
        ("$any", _) => Matcher::Any,
        ("$not_null", _) => Matcher::NotNull,
        ("$gt", _) => side(true, false),
        ("$gte", _) => side(true, true),
        ("$lt", _) => side(false, false),
        ("$lte", _) => side(false, true),
        ("$between", Content::List(items)) if items.len() == 2 => Matcher::Between(&items[0], &items[1]),
        ("$approx", _) => Matcher::Approx(value, within),
        ("$near", _) => Matcher::Near(value, within),
        ("$matches", _) => Matcher::Matches(value),
        ("$one_of", Content::List(items)) => Matcher::OneOf(items),
        ("$not", _) => Matcher::Not(value),
        ("$len", _) => Matcher::Len(value),
        ("$contains", _) => Matcher::Contains(value),
        _ => return None,
    })
}

/// The interval around a time, in words the server understands.
pub fn interval_within(within: Option<&Node>) -> String {
    match within.map(|node| &node.content) {
        Some(Content::Scalar(text, _)) => interval::parse(text).unwrap_or_default(),
        _ => NEAR.to_owned(),
    }
}

/// Notes what is wrong with the matchers of a map that has a `$` key which is no instruction. `name` is the
/// cell's.
pub fn check(reading: &mut Reading, name: &str, entries: &[Entry]) {
    let known = || WORDS.iter().copied().chain([WITHIN]);
    for entry in entries {
        let key = entry.key.as_str();
        if !key.starts_with('$') {
            let help = "a map is either JSON or matchers: JSON with such a key is `{$json: '…'}`";
            reading.problem_help(entry.key_span, format!("`{key}` stands beside a matcher"), help);
        } else if instruction::WORDS.contains(&key) {
            let message = format!("`{key}` stands alone in its map");
            reading.problem(entry.key_span, message);
        } else if !is_word(key) {
            let near = did_you_mean(key, known()).filter(|help| help.starts_with("did you mean"));
            let problem = reading.problem(entry.key_span, format!("there is no matcher `{key}`"));
            problem.notes.push(format!("known here: {}", list(WORDS)));
            problem.help = near;
        } else if key == "$any" && entries.len() > 1 {
            reading.problem(entry.key_span, "`$any` stands alone: beside it nothing else is left to say");
        } else {
            check_one(reading, name, entry, entries);
        }
    }
}

fn check_one(reading: &mut Reading, name: &str, entry: &Entry, beside: &[Entry]) {
    let (key, value) = (entry.key.as_str(), &entry.value);
    let refuse = |reading: &mut Reading, wanted: &str, example: &str| {
        let message = format!("`{key}` is followed by {wanted}, and here stands {}", value.noun());
        reading.problem_help(value.span, message, format!("like `{{{key}: {example}}}`"));
    };
    match (key, &value.content) {
        ("$any" | "$not_null", Content::Scalar(text, _)) if text == "true" => {}
        ("$any" | "$not_null", _) => {
            reading.problem_help(
                value.span,
                format!("`{key}` says `true`"),
                format!("write `{{{key}: true}}`"),
            );
        }
        ("$gt" | "$gte" | "$lt" | "$lte", _) => check_bound(reading, name, entry, value),
        ("$between", Content::List(items)) if items.len() == 2 => {
            items.iter().for_each(|item| check_bound(reading, name, entry, item));
        }
        ("$between", _) => refuse(reading, "two bounds", "[1, 5]"),
        ("$approx", Content::Scalar(..)) | ("$matches", Content::Scalar(..)) => {
            check_cell_for(Purpose::Compare, reading, name, value);
        }
        ("$approx", _) => refuse(reading, "a number", "3.14, $within: 0.01"),
        ("$matches", _) => refuse(reading, "a regular expression", "'^A'"),
        ("$near", Content::Scalar(..)) => check_cell_for(Purpose::Compare, reading, name, value),
        ("$near", Content::Map(_)) if instruction::entry(value).is_some_and(|it| it.key == "$now") => {
            check_now(reading, name, value);
        }
        ("$near", _) => refuse(reading, "a time", "now, $within: 5s"),
        (WITHIN, content) => {
            let other = beside.iter().find(|entry| matches!(entry.key.as_str(), "$approx" | "$near"));
            match (other.map(|entry| entry.key.as_str()), content) {
                (None, _) => {
                    let help = "`{$approx: 3.14, $within: 0.01}`, `{$near: now, $within: 5s}`";
                    reading.problem_help(entry.key_span, "`$within` belongs to `$approx` or `$near`", help);
                }
                (Some("$near"), Content::Scalar(text, _)) => {
                    let problem = match interval::parse(text) {
                        Err(error) => Some((error.message, error.help.to_owned())),
                        Ok(interval) if interval.contains('-') => Some((
                            "the interval around a time is negative".to_owned(),
                            "it is counted both ways: `$within: 5s`".to_owned(),
                        )),
                        Ok(_) => None,
                    };
                    if let Some((message, help)) = problem {
                        reading.problem_help(value.span, message, help);
                    }
                }
                (Some(_), Content::Scalar(text, _)) if text.trim().starts_with('-') => {
                    let help = "it is counted both ways: `$within: 0.01`";
                    reading.problem_help(value.span, "the distance from a number is negative", help);
                }
                (Some(_), Content::Scalar(..)) => {}
                (Some(_), _) => refuse(reading, "a distance", "0.01"),
            }
        }
        ("$one_of", Content::List(items)) if !items.is_empty() => {
            items.iter().for_each(|item| check_cell_for(Purpose::Expect, reading, name, item));
        }
        ("$one_of", _) => refuse(reading, "a list that is not empty", "[red, green]"),
        ("$not", _) => {
            check_cell_for(Purpose::Expect, reading, name, value);
            if all(value).is_some_and(|all| matches!(all.as_slice(), [Matcher::Any])) {
                reading.problem(value.span, "nothing is not anything: this never holds");
            }
        }
        ("$len", Content::Scalar(text, _)) if text.parse::<u64>().is_ok() => {}
        ("$len", Content::Map(entries)) if entries.iter().all(|entry| entry.key.starts_with('$')) => {
            check(reading, name, entries);
        }
        ("$len", _) => refuse(reading, "a whole number or a matcher", "3"),
        ("$contains", Content::Null | Content::Empty) => refuse(reading, "a part", "x"),
        ("$contains", _) => check_cell_for(Purpose::Compare, reading, name, value),
        _ => {}
    }
}

/// A bound is a value, or the run's time and an interval.
fn check_bound(reading: &mut Reading, name: &str, entry: &Entry, bound: &Node) {
    match &bound.content {
        Content::Scalar(..) => check_cell_for(Purpose::Compare, reading, name, bound),
        Content::Map(_) if instruction::entry(bound).is_some_and(|it| it.key == "$now") => {
            check_now(reading, name, bound);
        }
        _ => {
            let message = format!("`{}` compares with a value, and here stands {}", entry.key, bound.noun());
            reading.problem(bound.span, message);
        }
    }
}

fn check_now(reading: &mut Reading, name: &str, node: &Node) {
    if let Some(entry) = instruction::entry(node) {
        instruction::check(reading, name, entry, Purpose::Write);
    }
}

/// The interval from the run's time that a bound names, if it does.
pub fn from_now(bound: &Node) -> Option<String> {
    match Instruction::of(bound) {
        Some(Instruction::Now(interval)) => Some(interval),
        _ => None,
    }
}

/// What a value must be like, in the words of a failure: `> 2`, `near 2026-01-01`.
pub fn words(node: &Node, written: &dyn Fn(&Node) -> String) -> String {
    let Some(matchers) = all(node) else { return written(node) };
    let one = |matcher: &Matcher| match *matcher {
        Matcher::Any => "anything".to_owned(),
        Matcher::NotNull => "not null".to_owned(),
        Matcher::Beyond(side, bound) => format!("{} {}", side.operator(), written(bound)),
        Matcher::Between(low, high) => format!("from {} to {}", written(low), written(high)),
        Matcher::Approx(value, None) => format!("about {}", written(value)),
        Matcher::Approx(value, Some(within)) => format!("{} ± {}", written(value), written(within)),
        Matcher::Near(time, within) => {
            let within = within.map_or_else(|| "5s".to_owned(), written);
            format!("{} ± {within}", written(time))
        }
        Matcher::Matches(pattern) => format!("~ {}", written(pattern)),
        Matcher::OneOf(items) => {
            let items: Vec<String> = items.iter().map(|item| words(item, written)).collect();
            format!("one of {}", items.join(", "))
        }
        Matcher::Not(node) => format!("not {}", words(node, written)),
        Matcher::Len(node) => format!("length {}", words(node, written)),
        Matcher::Contains(node) => format!("containing {}", written(node)),
    };
    matchers.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::super::source::{Place, Source};
    use super::super::yaml;
    use super::*;

    fn check_text(yaml: &str, expected: &str) {
        let source = Source::new("a.yaml", yaml);
        let node = yaml::parse(&source).unwrap();
        let mut problems = Vec::new();
        let mut reading = Reading::new(&source, &mut problems);
        check_cell_for(Purpose::Expect, &mut reading, "a", &node);
        let told: Vec<String> = problems
            .iter()
            .map(|it| {
                let place = it.place.as_ref().map(Place::to_string).unwrap_or_default();
                format!("{} {}", place.trim_start_matches("a.yaml:1:"), it.message)
            })
            .collect();
        assert_eq!(told.join("; "), expected, "{yaml}");
    }

    #[test]
    fn a_matcher_is_checked_where_it_stands() {
        for right in [
            "{$any: true}",
            "{$gt: 1, $lt: 5}",
            "{$approx: 3.14, $within: 0.01}",
            "{$near: now}",
            "{$near: {$now: -3d}, $within: 1 day}",
            "{$not: {$one_of: [a, {$matches: b}]}}",
            "{$len: {$gte: 2}}",
            "{$contains: {a: 1}}",
            "{a: [{$any: true}, {b: {$not: null}}]}",
            "[{$gt: 1}, 2]",
        ] {
            check_text(right, "");
        }
        check_text("{$gtt: 1}", "2 there is no matcher `$gtt`");
        check_text("{$gt: 1, a: 2}", "10 `a` stands beside a matcher");
        check_text("{$any: true, $gt: 2}", "2 `$any` stands alone: beside it nothing else is left to say");
        check_text("{$any: false}", "8 `$any` says `true`");
        check_text("{$between: [1]}", "12 `$between` is followed by two bounds, and here stands a list");
        check_text("{$within: 1}", "2 `$within` belongs to `$approx` or `$near`");
        check_text("{$near: now, $within: -5s}", "23 the interval around a time is negative");
        check_text(
            "{$one_of: []}",
            "11 `$one_of` is followed by a list that is not empty, and here stands a list",
        );
        check_text("{$gt: null}", "7 `$gt` compares with a value, and here stands null");
        check_text(
            "{$len: x}",
            "8 `$len` is followed by a whole number or a matcher, and here stands a value",
        );
        check_text("{$now: 1d}", "2 `$now` has no place in `a`");
        check_text("{$not: {$any: true}}", "8 nothing is not anything: this never holds");
    }

    #[test]
    fn a_failure_says_what_was_wanted() {
        let check = |yaml: &str, expected: &str| {
            let node = yaml::parse(&Source::new("a.yaml", yaml)).unwrap();
            assert_eq!(words(&node, &super::super::value::json_text), expected, "{yaml}");
        };
        check("{$gt: 1, $lte: 5}", "> 1 and <= 5");
        check("{$not: {$one_of: [a, null]}}", "not one of \"a\", null");
        check("{$len: {$between: [1, 2]}}", "length from 1 to 2");
        check("x", "\"x\"");
    }
}
