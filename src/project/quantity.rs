//! Quantities: how many rows there shall be, as a number or as what a number must be like.
//!
//! ```yaml
//! 2
//! {$gt: 0, $lte: 10}         # also $gte and $lt; those beside each other hold together
//! {$between: [1, 2]}         # both bounds included
//! {$one_of: [1, 3]}
//! {$not: 0}                  # a number or another matcher
//! {$any: true}
//! ```
//!
//! Rows are counted, so all numbers are whole and none is negative; no server is asked.

use std::fmt;

use super::diagnostic::{did_you_mean, list};
use super::matcher::{self, Side};
use super::reading::Reading;
use super::source::Span;
use super::yaml::{Content, Entry, Node};

/// The matchers that a number of rows may be compared with.
const WORDS: &[&str] = &["$any", "$gt", "$gte", "$lt", "$lte", "$between", "$one_of", "$not"];

/// How many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// All of these have to hold.
    tests: Vec<Test>,
    /// Where it stands.
    pub span: Span,
}

/// What a number must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Any,
    Exactly(u64),
    Beyond(Side, u64),
    Between(u64, u64),
    OneOf(Vec<Quantity>),
    Not(Quantity),
}

impl Quantity {
    /// Reads a number or a map of matchers. `what` is what there are so many of, like `a count`.
    pub fn read(reading: &mut Reading, node: Node, what: &str) -> Option<Quantity> {
        let span = node.span;
        let tests = match node.content {
            Content::Map(entries) if entries.is_empty() => {
                let help = "a number, or a matcher: `{$between: [1, 2]}`";
                reading.problem_help(span, format!("{what} says nothing"), help);
                return None;
            }
            Content::Map(entries) => {
                let is_alone = entries.len() == 1;
                let tests: Vec<Option<Test>> =
                    entries.into_iter().map(|entry| test(reading, entry, is_alone, what)).collect();
                tests.into_iter().collect::<Option<Vec<Test>>>()?
            }
            _ => vec![Test::Exactly(reading.whole_number(node, what)?)],
        };
        Some(Quantity { tests, span })
    }

    /// This number.
    pub fn exactly(number: u64, span: Span) -> Quantity {
        Quantity { tests: vec![Test::Exactly(number)], span }
    }

    /// Whether so many are right.
    pub fn holds(&self, number: u64) -> bool {
        self.tests.iter().all(|test| match test {
            Test::Any => true,
            Test::Exactly(wanted) => number == *wanted,
            Test::Beyond(side, bound) => match (side.is_above, side.is_closed) {
                (true, false) => number > *bound,
                (true, true) => number >= *bound,
                (false, false) => number < *bound,
                (false, true) => number <= *bound,
            },
            Test::Between(low, high) => (*low..=*high).contains(&number),
            Test::OneOf(all) => all.iter().any(|one| one.holds(number)),
            Test::Not(other) => !other.holds(number),
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.tests.iter().map(|test| match test {
            Test::Any => "any number".to_owned(),
            Test::Exactly(number) => number.to_string(),
            Test::Beyond(side, bound) => format!("{} {bound}", side.operator()),
            Test::Between(low, high) => format!("from {low} to {high}"),
            Test::OneOf(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                format!("one of {}", all.join(", "))
            }
            Test::Not(other) => format!("not {other}"),
        });
        formatter.write_str(&words.collect::<Vec<_>>().join(" and "))
    }
}

fn test(reading: &mut Reading, entry: Entry, is_alone: bool, what: &str) -> Option<Test> {
    let Entry { key, key_span, value } = entry;
    let span = value.span;
    let side = |is_above, is_closed| Side { is_above, is_closed };
    Some(match key.as_str() {
        "$any" if !is_alone => {
            reading.problem(key_span, "`$any` stands alone: beside it nothing else is left to say");
            return None;
        }
        "$any" => match &value.content {
            Content::Scalar(text, _) if text == "true" => Test::Any,
            _ => {
                reading.problem_help(span, "`$any` says `true`", "write `{$any: true}`");
                return None;
            }
        },
        "$gt" => Test::Beyond(side(true, false), reading.whole_number(value, what)?),
        "$gte" => Test::Beyond(side(true, true), reading.whole_number(value, what)?),
        "$lte" => Test::Beyond(side(false, true), reading.whole_number(value, what)?),
        "$lt" => match reading.whole_number(value, what)? {
            0 => {
                reading.problem(span, "no number of rows is below 0: this never holds");
                return None;
            }
            bound => Test::Beyond(side(false, false), bound),
        },
        "$between" => {
            let bounds = reading.list(value, "`$between`")?;
            let [low, high] = <[Node; 2]>::try_from(bounds)
                .map_err(|_| {
                    reading.problem_help(span, "`$between` has two bounds", "like `{$between: [1, 2]}`");
                })
                .ok()?;
            let (low, high) = (reading.whole_number(low, what), reading.whole_number(high, what));
            let (low, high) = (low?, high?);
            if low > high {
                reading.problem(span, format!("no number is from {low} to {high}: this never holds"));
                return None;
            }
            Test::Between(low, high)
        }
        "$one_of" => {
            let items = reading.list(value, "`$one_of`")?;
            if items.is_empty() {
                reading.problem(span, "`$one_of` lists nothing: this never holds");
                return None;
            }
            let all: Vec<Option<Quantity>> =
                items.into_iter().map(|item| Quantity::read(reading, item, what)).collect();
            Test::OneOf(all.into_iter().collect::<Option<Vec<Quantity>>>()?)
        }
        "$not" => {
            let other = Quantity::read(reading, value, what)?;
            if other.tests == [Test::Any] {
                reading.problem(span, "nothing is not anything: this never holds");
                return None;
            }
            Test::Not(other)
        }
        key => {
            let problem = match matcher::WORDS.contains(&key) || key == matcher::WITHIN {
                true => reading.problem(key_span, format!("`{key}` says nothing of a number of rows")),
                false => reading.problem(key_span, format!("there is no matcher `{key}`")),
            };
            problem.notes.push(format!("known here: {}", list(WORDS)));
            problem.help =
                did_you_mean(key, WORDS.iter().copied()).filter(|help| help.starts_with("did you mean"));
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::super::yaml;
    use super::*;

    fn read(yaml: &str) -> Result<Quantity, String> {
        let source = Source::new("a.yaml", yaml);
        let mut problems = Vec::new();
        let mut reading = Reading::new(&source, &mut problems);
        let read = Quantity::read(&mut reading, yaml::parse(&source).unwrap(), "a count");
        let told: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
        read.filter(|_| told.is_empty()).ok_or_else(|| told.join("; "))
    }

    #[test]
    fn numbers_are_judged_without_a_server() {
        let check = |yaml: &str, words: &str, held: &[u64]| {
            let quantity = read(yaml).unwrap();
            assert_eq!(quantity.to_string(), words, "{yaml}");
            let holding: Vec<u64> = (0..6).filter(|number| quantity.holds(*number)).collect();
            assert_eq!(holding, held, "{yaml}");
        };
        check("2", "2", &[2]);
        check("{$any: true}", "any number", &[0, 1, 2, 3, 4, 5]);
        check("{$gt: 3}", "> 3", &[4, 5]);
        check("{$gte: 3}", ">= 3", &[3, 4, 5]);
        check("{$lt: 2}", "< 2", &[0, 1]);
        check("{$lte: 2}", "<= 2", &[0, 1, 2]);
        check("{$gt: 1, $lt: 4}", "> 1 and < 4", &[2, 3]);
        check("{$between: [1, 2]}", "from 1 to 2", &[1, 2]);
        check("{$one_of: [0, {$gt: 4}]}", "one of 0, > 4", &[0, 5]);
        check("{$not: 3}", "not 3", &[0, 1, 2, 4, 5]);
        check("{$not: {$between: [1, 4]}, $gt: 0}", "not from 1 to 4 and > 0", &[5]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |yaml: &str, message: &str| assert_eq!(read(yaml).unwrap_err(), message, "{yaml}");
        check("-1", "a count is a whole number, not `-1`");
        check("1.5", "a count is a whole number, not `1.5`");
        check("{}", "a count says nothing");
        check("[1]", "a count is text, and here stands a list");
        check("{$gt: -1}", "a count is a whole number, not `-1`");
        check("{$lt: 0}", "no number of rows is below 0: this never holds");
        check("{$between: [1]}", "`$between` has two bounds");
        check("{$between: [2, 1]}", "no number is from 2 to 1: this never holds");
        check("{$one_of: []}", "`$one_of` lists nothing: this never holds");
        check("{$not: {$any: true}}", "nothing is not anything: this never holds");
        check("{$any: false}", "`$any` says `true`");
        check("{$any: true, $gt: 1}", "`$any` stands alone: beside it nothing else is left to say");
        check("{$matches: x}", "`$matches` says nothing of a number of rows");
        check("{$gtt: 1}", "there is no matcher `$gtt`");
    }
}
