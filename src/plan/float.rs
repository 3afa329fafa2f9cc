//! Floating-point values: whether one holds the digits that were written.

/// What a `real` or `double precision` would make of a number, if it does not hold all of the digits
/// that were written. `0.1` is held: rounded to the one digit written, it reads as written.
pub fn changed(text: &str, is_single: bool) -> Option<String> {
    let digits = significant(text)?;
    let (held, shortest) = if is_single {
        let value: f32 = text.trim().parse().ok().filter(|value: &f32| value.is_finite() && *value != 0.0)?;
        (format!("{value:.*e}", digits.len() - 1), value.to_string())
    } else {
        let value: f64 = text.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value != 0.0)?;
        (format!("{value:.*e}", digits.len() - 1), value.to_string())
    };
    (significant(&held)? != digits).then_some(shortest)
}

/// The digits of a decimal number from the first to the last that is not zero.
fn significant(text: &str) -> Option<String> {
    let mantissa = text.trim().trim_start_matches(['+', '-']);
    let mantissa = mantissa.split(['e', 'E']).next()?;
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits.trim_matches('0');
    (is_number && !digits.is_empty()).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_holds_the_digits_it_reads_back() {
        let check = |text: &str, single: Option<&str>, double: Option<&str>| {
            assert_eq!(changed(text, true).as_deref(), single, "{text} as real");
            assert_eq!(changed(text, false).as_deref(), double, "{text} as double precision");
        };
        for text in ["0", "-0.0", "0.1", "1.50", "1e3", "1E-40", "1e38", "3.14159", "NaN", "-Infinity", "x"] {
            check(text, None, None);
        }
        check("0.100000001", None, None);
        check("16777217", Some("16777216"), None);
        check("59.9138688", Some("59.913868"), None);
        check("0.30000000000000004", Some("0.3"), None);
        check("0.10000000000000001", Some("0.1"), None);
        check("9007199254740993", Some("9007199000000000"), Some("9007199254740992"));
    }
}
