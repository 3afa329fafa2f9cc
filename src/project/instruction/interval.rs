//! Intervals: `-3d`, `+1 month 2 hours`. What they amount to on a calendar, the server knows.

/// No interval at all.
pub const NONE: &str = "0";

/// Why a text is no interval.
#[derive(Debug, PartialEq, Eq)]
pub struct IntervalError {
    /// The byte it is about.
    pub offset: usize,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

/// The units and their spellings. A bare `m` is none: it may be minutes or months.
const UNITS: &[(&str, &[&str])] = &[
    ("years", &["y", "year", "years"]),
    ("months", &["mon", "mons", "month", "months"]),
    ("weeks", &["w", "week", "weeks"]),
    ("days", &["d", "day", "days"]),
    ("hours", &["h", "hour", "hours"]),
    ("minutes", &["min", "mins", "minute", "minutes"]),
    ("seconds", &["s", "sec", "secs", "second", "seconds"]),
];
/// The most digits before a point: more days than that, no timestamp reaches.
const DIGITS_MAX: usize = 9;
const HELP: &str = "numbers with units from years (`y`) to seconds (`s`), like `-3d` or `+1 month 2 hours`";

/// Reads an interval, and writes it as the server reads it without a doubt: each number with a sign and
/// a unit.
pub fn parse(text: &str) -> Result<String, IntervalError> {
    let error = |rest: &str, message: String, help| {
        Err(IntervalError { offset: text.len() - rest.len(), message, help })
    };
    if matches!(text.trim(), "" | "0") {
        return Ok(NONE.to_owned());
    }
    let mut parts: Vec<String> = Vec::new();
    let mut is_negative = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let start = rest;
        let sign = rest.chars().next().filter(|c| matches!(c, '+' | '-'));
        if sign.is_none() && is_negative {
            let help = "say the sign of each part: `-1 month -2 hours`";
            return error(start, "this part may be meant to be added or to be taken away".to_owned(), help);
        }
        is_negative = sign == Some('-');
        rest = rest.trim_start_matches(['+', '-'].as_slice());
        let is_signed_once = start.len() - rest.len() <= 1;
        rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.');
        if !is_number || !is_signed_once {
            return error(start, format!("`{}` is no interval", text.trim()), HELP);
        }
        if whole.len() > DIGITS_MAX {
            return error(rest, format!("`{number}` is more than any time is away"), HELP);
        }
        rest = behind.trim_start();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let (unit, behind) = rest.split_at(end);
        let known = UNITS.iter().find(|(_, spellings)| spellings.contains(&unit.to_lowercase().as_str()));
        let Some((unit, _)) = known else {
            return match unit {
                "" => error(start, format!("`{number}` has no unit"), HELP),
                "m" | "M" => {
                    error(rest, format!("`{unit}` may be minutes or months"), "write `min` or `mon`")
                }
                _ => error(rest, format!("there is no unit `{unit}`"), HELP),
            };
        };
        if number.contains('.') && matches!(*unit, "years" | "months") {
            return error(start, format!("a part of `{unit}` is no certain time"), "write months or days");
        }
        parts.push(format!("{}{number} {unit}", if is_negative { '-' } else { '+' }));
        rest = behind.trim_start();
    }
    Ok(parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_intervals() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        check("", "0");
        check(" 0 ", "0");
        check("0s", "+0 seconds");
        check("-3d", "-3 days");
        check("+14d", "+14 days");
        check("+1 month 2 hours", "+1 months +2 hours");
        check("1y2mon", "+1 years +2 months");
        check("- 1 Week +1.5h", "-1 weeks +1.5 hours");
    }

    #[test]
    fn what_may_mean_two_things_means_none() {
        let check = |text: &str, offset: usize, message: &str| {
            let error = parse(text).unwrap_err();
            assert_eq!((error.offset, error.message.as_str()), (offset, message), "{text}");
        };
        check("-1 month 2 hours", 9, "this part may be meant to be added or to be taken away");
        check("3", 0, "`3` has no unit");
        check("1d 3", 3, "`3` has no unit");
        check("5m", 1, "`m` may be minutes or months");
        check("3 fortnights", 2, "there is no unit `fortnights`");
        check("tomorrow", 0, "`tomorrow` is no interval");
        check("--3d", 0, "`--3d` is no interval");
        check("1.d", 0, "`1.d` is no interval");
        check("1.5 months", 0, "a part of `months` is no certain time");
        check("99999999999d", 0, "`99999999999` is more than any time is away");
        check("1d; drop", 2, "`1d; drop` is no interval");
    }
}
