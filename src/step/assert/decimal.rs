//! Numbers by what their digits say, whatever way they are written.

/// A decimal number: `negative`, its digits without zeros at either end, and the power of ten of the
/// point before the first digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads `-12.50`, `1e3` and `.5`.
    pub fn parse(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (unsigned, 0i64),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let leading = digits.len() - significant.len();
        let significant = significant.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Decimal { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let exponent = exponent.checked_add(whole.len() as i64 - leading as i64)?;
        Some(Decimal { is_negative: text.starts_with('-'), digits: significant.to_owned(), exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn spelling_does_not_matter_and_digits_do() {
        let same = |left, right| Decimal::parse(left).unwrap() == Decimal::parse(right).unwrap();
        assert!(same("16777216", "1.6777216e+07"));
        assert!(same("-0.0010", "-1e-3"));
        assert!(same("0", "-0.00"));
        assert!(same("+.5", "0.5"));
        assert!(!same("16777217", "1.6777216e+07"));
        assert!(!same("1", "-1"));
        for word in ["NaN", "Infinity", "", ".", "1e", "0x10", "$1"] {
            assert_eq!(Decimal::parse(word), None, "{word}");
        }
    }
}
