//! Texts that a type reads as something else than they say: `16777217` as float4, a time of day as date.
//!
//! An expected value that is read so is refused: it could only ever equal what the author did not
//! mean. The server says how it reads each text of a type that can do this, and here is judged
//! whether anything was lost.

use super::decimal::Decimal;
use crate::plan::description::{Kind, Type};
use crate::project::source::{Place, Source};
use crate::project::yaml::{Content, Node};
use std::sync::Arc;

/// A single text of an expectation, of a type that may lose something of it.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The text.
    pub text: String,
    /// The cell it stands in.
    pub place: Place,
    /// Its type.
    pub type_name: String,
    rule: Rule,
}

/// What a type may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// All but the first bytes.
    Bytes,
    /// Digits.
    Digits,
    /// The time of day and the zone.
    TimeOfDay,
    /// The zone.
    Zone,
    /// The date and the zone.
    DateAndZone,
    /// The date.
    Date,
    /// What is behind the microseconds. All types of time do that.
    Fraction,
}

fn rule(sql_type: &Type) -> Option<Rule> {
    Some(match sql_type.sql.as_str() {
        "name" | "\"char\"" => Rule::Bytes,
        "float4" | "float8" | "money" | "oid" => Rule::Digits,
        "date" => Rule::TimeOfDay,
        "timestamp" => Rule::Zone,
        "time" => Rule::DateAndZone,
        "timetz" => Rule::Date,
        "timestamptz" | "interval" => Rule::Fraction,
        _ => return None,
    })
}

/// The texts of a cell that its type may read as something else, and their own type: the elements of
/// an array, the bounds of a range.
pub fn leaves(node: &Node, sql_type: &Type, source: &Arc<Source>) -> Vec<Leaf> {
    match (&node.content, &sql_type.kind) {
        (Content::List(items), Kind::Array(element)) => {
            let inner = |item: &Node| match &item.content {
                Content::List(_) => leaves(item, sql_type, source),
                _ => leaves(item, element, source),
            };
            items.iter().flat_map(inner).collect()
        }
        (Content::Scalar(text, _), kind) => {
            let (texts, of) = match kind {
                Kind::Range(of) => (bounds(text), &**of),
                _ => (vec![text.clone()], sql_type),
            };
            let Some(rule) = rule(of) else { return Vec::new() };
            let place = Place::new(source, node.span);
            let leaf = |text| Leaf { text, place: place.clone(), type_name: of.sql.clone(), rule };
            texts.into_iter().map(leaf).collect()
        }
        _ => Vec::new(),
    }
}

/// The bounds of a range as written, without their quotes.
fn bounds(range: &str) -> Vec<String> {
    let inner = range.trim().strip_prefix(['[', '(']).and_then(|rest| rest.strip_suffix([']', ')']));
    let bounds = inner.unwrap_or_default().split(',').map(|bound| bound.trim().trim_matches('"'));
    bounds.filter(|bound| !bound.is_empty()).map(str::to_owned).collect()
}

/// SQL expressions for how a text `t` is read, and for whether nothing was lost as far as the server
/// can tell. Zones are told by reading the text with one: the session's own is UTC.
pub fn reading(type_name: &str) -> (String, &'static str) {
    let read = match type_name {
        "money" => "t::money::numeric::text".to_owned(),
        _ => format!("t::{type_name}::text"),
    };
    let is_exact = match type_name {
        // Behind that day there are only dates.
        "date" => {
            "case when t::date > date '294276-12-30' then true else t::timestamptz = t::date::timestamp at time zone 'UTC' end"
        }
        "timestamp" => "t::timestamptz = t::timestamp at time zone 'UTC'",
        "time" => "extract(timezone from t::timetz) = 0",
        _ => "true",
    };
    (read, is_exact)
}

impl Leaf {
    /// Whether the type, which reads the text as `read`, means what the text says. `is_exact` is
    /// what the server can tell of that.
    pub fn is_faithful(&self, read: &str, is_exact: bool) -> bool {
        is_exact
            && match self.rule {
                Rule::Bytes => read == self.text,
                // What is no decimal is a word, like `NaN`, or another spelling: `$1.00`.
                Rule::Digits => match (Decimal::parse(&self.text), Decimal::parse(read)) {
                    (Some(said), Some(read)) => said == read,
                    _ => true,
                },
                Rule::TimeOfDay => true,
                Rule::Zone | Rule::Fraction => is_within_microseconds(&self.text),
                Rule::Date | Rule::DateAndZone => is_within_microseconds(&self.text) && !has_date(&self.text),
            }
    }
}

/// Whether no digit behind a point says more than a microsecond.
fn is_within_microseconds(text: &str) -> bool {
    text.split('.').skip(1).all(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit);
        digits.skip(6).all(|digit| digit == b'0')
    })
}

/// Whether a text that is read as a time of day names a day too.
fn has_date(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let is_clock = |word: &str| {
        let word = word.strip_prefix('t').unwrap_or(word);
        let hours = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        // `03:04…`, or `030405…` without colons.
        hours > 0
            && (word[hours..].starts_with(':') || hours <= 6 && !word[hours..].starts_with(['-', '/', 't']))
    };
    let is_day = |word: &str| {
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        matches!(word, "now" | "today" | "tomorrow" | "yesterday")
            || months.iter().any(|month| word.starts_with(month))
    };
    let with_digit = |word: &&String| word.starts_with(|c: char| c.is_ascii_digit());
    words.iter().any(|word| is_day(word))
        || words.iter().filter(with_digit).count() > 1
        || words.iter().filter(with_digit).any(|word| !is_clock(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_seen_beside_a_time() {
        for text in
            ["03:04", "030405", "03:04:05.5 PM", "t03:04", "03:04:05+02", "03:04-05", "allballs", "03:04 UTC"]
        {
            assert!(!has_date(text), "{text}");
        }
        for text in [
            "2026-01-02 03:04",
            "2026-01-02T03:04Z",
            "20260102T030405",
            "20260102 030405",
            "Jan 2 2026 03:04",
            "now",
            "1/2/2026 03:04",
        ] {
            assert!(has_date(text), "{text}");
        }
    }

    #[test]
    fn microseconds_are_the_least() {
        assert!(is_within_microseconds("2026-01-02 03:04:05.1234560+00"));
        assert!(!is_within_microseconds("2026-01-02 03:04:05.1234567"));
        assert!(is_within_microseconds("1 day"));
    }

    #[test]
    fn the_bounds_of_a_range_are_found() {
        assert_eq!(bounds("[2026-01-01, \"2026-02-01\")"), ["2026-01-01", "2026-02-01"]);
        assert_eq!(bounds("(,5]"), ["5"]);
        assert_eq!(bounds("empty"), Vec::<String>::new());
    }
}
