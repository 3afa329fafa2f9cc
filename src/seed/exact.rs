//! Exact: whether the value that a text becomes is all that was written.
//!
//! PostgreSQL rounds a number to its column's scale and drops the time from a date without a word.
//! A value is compared with itself in the type as declared, and with its own text where a type
//! reads only a part of it.

use crate::plan::catalog::Column;

/// An SQL expression that is NULL when a staged value is exact, else what it would become; none
/// when the type keeps whatever it reads.
pub fn changed(column: &Column, text: &str, value: &str) -> Option<String> {
    let mut conditions = Vec::new();
    if let Some(exact) = &column.exact {
        conditions.push(column.differs(value, &format!("{value}::{exact}")));
    }
    let (element, brackets) = match column.type_name.strip_suffix("[]") {
        Some(element) => (element, "[]"),
        None => (column.type_name.as_str(), ""),
    };
    // What keeps more of the text than the type itself. The session's time zone is UTC.
    let wider = match element {
        "date" | "timestamp without time zone" => Some("timestamptz"),
        "time without time zone" => Some("timetz"),
        "name" | "\"char\"" => Some("text"),
        _ => None,
    };
    if let Some(wider) = wider {
        let differs = format!("{text}::{wider}{brackets} is distinct from {value}::{wider}{brackets}");
        conditions.push(match column.type_name.as_str() {
            // A date may be later than any timestamp; `now` is meant as the day.
            "date" => format!(
                "case when {value} > '-infinity' and {value} < '294276-01-01' and {text} !~* '^\\s*now\\s*$' then {differs} else false end"
            ),
            _ => differs,
        });
    }
    if element.starts_with("time") {
        conditions.push(format!("{text} ~ ':\\d+\\.\\d{{6}}\\d*[1-9]'"));
    }
    if element.starts_with("time ") {
        conditions.push(format!(
            "{text} ~* '\\d-\\w+-\\d|\\d/\\d+/|\\d{{8}}T\\d|\\m(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)'"
        ));
    }
    if element == "interval" {
        conditions.push(format!("{text} ~* '(:\\d+\\.\\d{{6}}\\d*[1-9])|(\\.\\d{{6}}\\d*[1-9] *s)'"));
    }
    if column.type_name == "money" {
        conditions.push(format!(
            "case when {text} ~ '^[+-]?\\d+([.]\\d+)?$' then {text}::numeric is distinct from {value}::numeric else false end"
        ));
    }
    if conditions.is_empty() {
        return None;
    }
    let exact = column.exact.as_ref().unwrap_or(&column.type_name);
    Some(format!("case when {} then ({value}::{exact})::text end", conditions.join(" or ")))
}
