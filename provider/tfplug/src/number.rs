//! Terraform's numbers: decimals of any size, exact, without a big-number library.

use std::{cmp::Ordering, fmt, str::FromStr};

/// More digits than Terraform's own 512-bit numbers carry; longer input is refused rather than stored.
const MAX_DIGITS: usize = 1_200;
/// Decimal exponents beyond this are refused: nobody writes them, and printing one in full fills the memory.
const MAX_EXPONENT: i64 = 10_000;

/// An exact decimal number.
///
/// Terraform computes in binary with 512 bits, so `0.1` is neither the `f64` nor quite 0.1 there; it travels as
/// decimal text. This type keeps that text's value, and so gives back to Terraform exactly what it sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Decimal digits without leading or trailing zeros; empty for zero. The value is `digits * 10^exponent`.
    digits: String,
    exponent: i64,
}

/// Text that is no number, or one out of the range supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number that can be handled: {0:?}")]
pub struct ParseNumberError(String);

impl Number {
    /// The value, if it is an integer that fits.
    pub fn to_i64(&self) -> Option<i64> {
        i64::try_from(self.to_i128()?).ok()
    }

    /// The value, if it is an integer that fits.
    pub fn to_u64(&self) -> Option<u64> {
        u64::try_from(self.to_i128()?).ok()
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        self.scientific().parse().unwrap_or(f64::NAN)
    }

    /// The exact value of `float`; `None` for an infinity and for NaN, which Terraform does not have.
    pub fn from_f64_exact(float: f64) -> Option<Self> {
        // 1074 decimals write out every f64: the smallest is 2^-1074.
        float
            .is_finite()
            .then(|| Self::parse(&format!("{float:.1074}")))?
            .ok()
    }

    /// What a person means who writes `float` in source: the shortest decimal that rounds to it.
    pub fn from_f64(float: f64) -> Option<Self> {
        float
            .is_finite()
            .then(|| Self::parse(&format!("{float:e}")))?
            .ok()
    }

    fn to_i128(&self) -> Option<i128> {
        let exponent = u32::try_from(self.exponent).ok()?;
        if self.digits.is_empty() {
            return Some(0);
        }
        let magnitude: i128 = self.digits.parse().ok()?;
        let value = magnitude.checked_mul(10_i128.checked_pow(exponent)?)?;
        Some(if self.negative { -value } else { value })
    }

    fn scientific(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() {
            "0"
        } else {
            &self.digits
        };
        format!("{sign}{digits}e{}", self.exponent)
    }

    fn parse(text: &str) -> Result<Self, ParseNumberError> {
        Self::parse_decimal(text).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            ParseNumberError(shown)
        })
    }

    fn parse_decimal(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return None;
        }
        let point = i64::try_from(fraction.len()).ok()?;
        Self::canonical(
            negative,
            &format!("{whole}{fraction}"),
            exponent.checked_sub(point)?,
        )
    }

    fn canonical(negative: bool, digits: &str, exponent: i64) -> Option<Self> {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let zeros = i64::try_from(significant.len() - trimmed.len()).ok()?;
        let exponent = exponent.checked_add(zeros)?;
        let representable = trimmed.len() <= MAX_DIGITS && exponent.abs() <= MAX_EXPONENT;
        representable.then(|| Self {
            negative,
            digits: trimmed.to_owned(),
            exponent,
        })
    }

    /// Position of the first digit: numbers of one sign compare by it first.
    fn magnitude(&self) -> (bool, i64) {
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        (!self.digits.is_empty(), self.exponent + length)
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        // Equal magnitudes: digits compare like text, since neither ends in zeros.
        by_magnitude.then_with(|| self.digits.cmp(&other.digits))
    }
}

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self::of_integer(integer < 0, &integer.unsigned_abs().to_string())
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Self::of_integer(false, &integer.to_string())
    }
}

impl Number {
    fn of_integer(negative: bool, digits: &str) -> Self {
        let significant = digits.trim_end_matches('0');
        let zeros = digits.len() - significant.len();
        let zero = significant.is_empty();
        Self {
            negative: negative && !zero,
            digits: significant.to_owned(),
            exponent: if zero {
                0
            } else {
                i64::try_from(zeros).unwrap_or(0)
            },
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Plain decimal notation, as people write it; scientific where that would take more than forty zeros.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exponent.abs() > 40 {
            return f.write_str(&self.scientific());
        }
        if self.negative {
            f.write_str("-")?;
        }
        let digits = if self.digits.is_empty() {
            "0"
        } else {
            &self.digits
        };
        let zeros = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
        if self.exponent >= 0 {
            return write!(f, "{digits}{}", "0".repeat(zeros));
        }
        let padded = format!(
            "{}{digits}",
            "0".repeat((zeros + 1).saturating_sub(digits.len()))
        );
        let (whole, fraction) = padded.split_at(padded.len() - zeros);
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "conversions are exact or wrong")]

    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect(text)
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (a, b) in [
            ("1.50", "15e-1"),
            ("100", "1e2"),
            ("-0", "0.000"),
            ("+7", "7"),
            (".5", "0.5"),
        ] {
            assert_eq!(number(a), number(b), "{a} = {b}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "", "-", ".", "1e", "e5", "1.2.3", "0x10", "inf", "NaN", "1e99999", "١",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert!("1".repeat(MAX_DIGITS + 1).parse::<Number>().is_err());
    }

    #[test]
    fn a_float_off_the_wire_is_exact_and_one_from_source_is_short() {
        let exact = Number::from_f64_exact(0.1).expect("finite");
        assert!(exact.to_string().starts_with("1000000000000000055511"));
        assert_eq!(Number::from_f64(0.1).expect("finite").to_string(), "0.1");
        assert_eq!(Number::from_f64(f64::INFINITY), None);
        assert_eq!(
            Number::from_f64_exact(f64::MIN_POSITIVE)
                .expect("finite")
                .to_f64(),
            f64::MIN_POSITIVE
        );
    }

    #[test]
    fn integers_out_of_range_are_not_truncated() {
        assert_eq!(number("9223372036854775808").to_i64(), None);
        assert_eq!(number("9223372036854775808").to_u64(), Some(1 << 63));
        assert_eq!(number("1.5").to_i64(), None);
        assert_eq!(number("1e4000").to_i64(), None);
    }

    proptest! {
        #[test]
        fn integers_survive(integer: i64) {
            let number = Number::from(integer);
            prop_assert_eq!(number.to_i64(), Some(integer));
            prop_assert_eq!(number.to_string(), integer.to_string());
        }

        #[test]
        fn floats_survive(float in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(Number::from_f64(float).expect("finite").to_f64(), float);
            prop_assert_eq!(Number::from_f64_exact(float).expect("finite").to_f64(), float);
        }

        #[test]
        fn order_is_that_of_the_values(a in -1e6..1e6_f64, b in -1e6..1e6_f64) {
            let (x, y) = (Number::from_f64(a).expect("finite"), Number::from_f64(b).expect("finite"));
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).expect("ordered"));
        }

        #[test]
        fn text_survives(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?") {
            let number: Number = text.parse().expect("a number");
            prop_assert_eq!(number.to_string().parse::<Number>(), Ok(number));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = text.parse::<Number>();
        }
    }
}
