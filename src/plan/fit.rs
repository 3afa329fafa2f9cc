//! Whether a value fits its column as it is written, as far as that can be told without the server.
//!
//! Values of a file pass here one by one on their way, so what is common is settled by a look at its
//! characters: `2026-01-02` in a date, `1.50` in a `numeric(8,2)`. What is not is in doubt, and the
//! server is asked.

use super::catalog::{Column, Table};
use super::cell::inexact;
use super::float;
use crate::project::diagnostic::Diagnostic;

/// What is known of a value.
#[derive(Debug)]
pub enum Fit {
    /// Nothing of it would be lost.
    Fits,
    /// The server has to be asked.
    Doubtful,
    /// It does not fit, in words without a place.
    Misfit(Box<Diagnostic>),
}

/// The types of numbers.
const NUMBERS: &[&str] = &["smallint", "integer", "bigint", "numeric", "real", "double precision"];

/// What values of one column have to be like.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The column, like `places.code`.
    pub what: String,
    /// Its type, with length and precision.
    pub exactly: String,
    /// Words that it may not be NULL, if it may not.
    pub not_null: Option<&'static str>,
    /// The SQL that is NULL for a text `u.t` which fits, else what it would become; none when the type
    /// keeps all it reads.
    pub question: Option<String>,
    length_max: Option<usize>,
    is_padded: bool,
    /// Its type, if that is a number.
    number: Option<String>,
    form: Form,
}

/// What has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Anything,
    /// A number with at most so many digits behind the point.
    Decimal(i64),
    Single,
    Double,
    Date,
    /// A time, with a date before it or a zone behind it where they are kept.
    Moment {
        has_date: bool,
        has_zone: bool,
        digits_max: usize,
    },
    /// Anything without a point.
    Whole,
    Short(usize),
    /// Nobody can tell by looking.
    Opaque,
}

impl Fitting {
    /// What values of a column have to be like, given what the server would be asked.
    pub fn of(table: &Table, column: &Column, question: Option<String>) -> Fitting {
        Fitting {
            what: format!("{}.{}", table.name, column.name),
            exactly: column.exactly(),
            not_null: None,
            form: Form::of(column, question.is_some()),
            question,
            length_max: column.length_max.filter(|_| !column.is_array),
            is_padded: column.type_name == "bpchar",
            number: NUMBERS.contains(&column.type_name.as_str()).then(|| column.type_name.clone()),
        }
    }

    /// Looks at a value; NULL is none.
    pub fn look(&self, text: Option<&str>) -> Fit {
        let misfit = |diagnostic| Fit::Misfit(Box::new(diagnostic));
        let Some(text) = text else {
            return match self.not_null {
                Some(why) => misfit(
                    Diagnostic::error(format!("`{}` {why}", self.what))
                        .help("give it a value; the empty text is `\"\"`"),
                ),
                None => Fit::Fits,
            };
        };
        if let Some(most) = self.length_max.filter(|most| text.len() > *most) {
            let length = if self.is_padded { text.trim_end_matches(' ') } else { text }.chars().count();
            if length > most {
                let message =
                    format!("`{}` is of type {}, and this has {length} characters", self.what, self.exactly);
                return misfit(Diagnostic::error(message));
            }
        }
        let is_plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'.');
        let number = self.number.as_ref().filter(|_| !text.bytes().all(is_plain));
        if let Some(problem) = number.and_then(|number| foreign_number(number, text)) {
            return misfit(problem);
        }
        let fits = match self.form {
            Form::Anything => true,
            Form::Single | Form::Double => {
                return match float::changed(text, self.form == Form::Single) {
                    Some(changed) => misfit(inexact(text, &self.exactly, &changed)),
                    None => Fit::Fits,
                };
            }
            Form::Decimal(most) => decimals(text).is_some_and(|decimals| decimals <= most),
            Form::Date | Form::Moment { has_date: true, .. } if is_ambiguous_date(text) => {
                return misfit(ambiguous_date(text));
            }
            Form::Date => is_date(text.as_bytes()),
            Form::Moment { has_date, has_zone, digits_max } => {
                is_moment(text.as_bytes(), has_date, has_zone, digits_max)
            }
            Form::Whole => !text.contains('.'),
            Form::Short(most) => text.len() <= most,
            Form::Opaque => false,
        };
        if fits { Fit::Fits } else { Fit::Doubtful }
    }
}

impl Form {
    fn of(column: &Column, has_question: bool) -> Form {
        let digits_max = if column.exact.is_some() { 0 } else { 6 };
        let moment = |has_date, has_zone| Form::Moment { has_date, has_zone, digits_max };
        match column.type_name.as_str() {
            "real" => Form::Single,
            "double precision" => Form::Double,
            _ if !has_question => Form::Anything,
            "numeric" => match column.exact.as_deref().and_then(scale) {
                Some(scale) => Form::Decimal(scale),
                None => Form::Opaque,
            },
            "date" => Form::Date,
            "timestamp without time zone" => moment(true, false),
            "timestamp with time zone" => moment(true, true),
            "time without time zone" => moment(false, false),
            "time with time zone" => moment(false, true),
            "interval" if column.exact.is_none() => Form::Whole,
            "name" => Form::Short(63),
            _ => Form::Opaque,
        }
    }
}

/// The digits behind the point that `numeric(p,s)` keeps.
fn scale(exact: &str) -> Option<i64> {
    let (_, scale) = exact.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',').unwrap_or(("", "0"));
    scale.trim().parse().ok()
}

/// How many digits behind the point a number needs; none if it is written in an unusual way.
fn decimals(text: &str) -> Option<i64> {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let fraction = fraction.trim_end_matches('0').len() as i64;
    let zeros = if fraction == 0 { (whole.len() - whole.trim_end_matches('0').len()) as i64 } else { 0 };
    Some(fraction - zeros - exponent)
}

/// Whether a text begins with a date of which nobody can tell what the day is: `01/02/03`, `1-2-2026`.
pub fn is_ambiguous_date(text: &str) -> bool {
    let date = text.trim_start().split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split(['/', '-', '.']).collect();
    let is_number =
        |part: &&str, most| (1..=most).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit());
    matches!(parts.as_slice(), [first, second, third] if is_number(first, 2) && is_number(second, 2) && is_number(third, 4))
}

/// The words for such a date.
pub fn ambiguous_date(text: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` may be several days", text.trim()))
        .help("write the year first, in four digits: `2026-12-31`")
}

/// Whether a text is a date and a time of day without a zone.
pub fn is_without_zone(text: &str) -> bool {
    text.len() > 10 && is_moment(text.as_bytes(), true, false, 6)
}

/// The words for a number that only some servers read, or that YAML writes otherwise than they do.
pub fn foreign_number(type_name: &str, text: &str) -> Option<Diagnostic> {
    let is_whole = matches!(type_name, "smallint" | "integer" | "bigint");
    let is_float = matches!(type_name, "numeric" | "real" | "double precision");
    if !is_whole && !is_float {
        return None;
    }
    let plain = text.trim_start_matches(['+', '-']);
    let is_of_yaml = matches!(plain.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    let has_marks = plain.starts_with(|c: char| c.is_ascii_digit())
        && (plain.contains('_')
            || plain.len() > 2
                && plain.starts_with('0')
                && plain[1..].starts_with(['x', 'X', 'o', 'O', 'b', 'B']));
    if is_of_yaml && is_float {
        return Some(
            Diagnostic::error(format!("`{text}` is how YAML writes it, and not PostgreSQL"))
                .help("write `Infinity`, `-Infinity` or `NaN`"),
        );
    }
    has_marks.then(|| {
        Diagnostic::error(format!("`{text}` is a number that not every PostgreSQL reads"))
            .help("write it in decimal digits alone")
    })
}

fn is_date(text: &[u8]) -> bool {
    has_form(text, b"0000-00-00")
}

/// Whether a text has the form of another: a digit where that has one, else the same character.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let is_like = |(byte, like): (&u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    text.len() == form.len() && text.iter().zip(form).all(is_like)
}

fn is_moment(text: &[u8], has_date: bool, has_zone: bool, digits_max: usize) -> bool {
    let mut rest = text;
    if has_date {
        let Some((date, behind)) = rest.split_at_checked(10) else { return false };
        if !is_date(date) {
            return false;
        }
        match behind {
            [] => return true,
            [b' ' | b'T', time @ ..] => rest = time,
            _ => return false,
        }
    }
    if has_zone {
        rest = without_zone(rest);
    }
    let (time, fraction) = match rest.iter().position(|byte| *byte == b'.') {
        Some(point) => (&rest[..point], &rest[point + 1..]),
        None => (rest, &[][..]),
    };
    let digits = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    (has_form(time, b"00:00:00") || fraction.is_empty() && has_form(time, b"00:00"))
        && fraction.iter().all(u8::is_ascii_digit)
        && digits <= digits_max
}

fn without_zone(text: &[u8]) -> &[u8] {
    if let Some(rest) = text.strip_suffix(b"Z") {
        return rest;
    }
    for form in [&b"+00:00"[..], b"-00:00", b"+0000", b"-0000", b"+00", b"-00"] {
        if let Some((rest, zone)) = text.len().checked_sub(form.len()).map(|at| text.split_at(at))
            && has_form(zone, form)
        {
            return rest;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_the_digits_that_a_number_needs() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(decimals(text), expected, "{text}");
        check("1.50", Some(1));
        check("1500", Some(-2));
        check("-0.005", Some(3));
        check("1e3", Some(-3));
        check("1.25e1", Some(1));
        check("1.25e-1", Some(3));
        check(".5", Some(1));
        check("5.", Some(0));
        for text in ["", ".", "1_000", "NaN", "0x1F", " 1", "1e", "--1"] {
            check(text, None);
        }
    }

    #[test]
    fn numbers_of_other_languages_are_told() {
        let told = |kind: &str, text: &str| foreign_number(kind, text).is_some();
        for text in ["1_000", "0x1F", "-0b11", "0o17"] {
            assert!(told("integer", text) && told("numeric", text) && !told("text", text), "{text}");
        }
        assert!(told("double precision", ".inf") && told("numeric", "-.Inf") && told("real", ".NaN"));
        for text in ["007", "1e3", "-1.50", "NaN", "Infinity", "", "0", "abc_d"] {
            assert!(!told("numeric", text), "{text}");
        }
    }

    #[test]
    fn dates_without_a_year_in_front_are_ambiguous() {
        for text in ["01/02/03", "1/2/2026", "1-2-26", "01.02.2026 10:00", "31/12/99T10:00"] {
            assert!(is_ambiguous_date(text), "{text}");
        }
        for text in ["2026-01-02", "2026/1/2", "20260102", "now", "10:11", "01-Feb-2026", "infinity", ""] {
            assert!(!is_ambiguous_date(text), "{text}");
        }
    }

    #[test]
    fn moments_are_told_by_their_form() {
        let timestamp = |text: &str| is_moment(text.as_bytes(), true, false, 6);
        for text in
            ["2026-01-02", "2026-01-02 10:11", "2026-01-02T10:11:12.123456", "2026-01-02 10:11:12.1200000"]
        {
            assert!(timestamp(text), "{text}");
        }
        for text in
            ["2026-1-2", "2026-01-02 10:11:12+00", "2026-01-02 10:11:12.1234567", "now", "2026-01-02 10", ""]
        {
            assert!(!timestamp(text), "{text}");
        }
        let zoned = |text: &str| is_moment(text.as_bytes(), true, true, 0);
        for text in ["2026-01-02 10:11:12+02", "2026-01-02T10:11:12Z", "2026-01-02 10:11:12-05:30"] {
            assert!(zoned(text), "{text}");
        }
        assert!(!zoned("2026-01-02 10:11:12.5Z"));
        assert!(!zoned("2026-01-02 10:11:12 CET"));
        assert!(is_moment(b"10:11", false, false, 6));
    }
}
