//! Decimal numbers of search, compared exactly, with R4's implicit precision (3.1.1.4.6).

use std::cmp::Ordering;

/// The largest number of digits that are compared: further digits of a number are cut off.
const MAX_DIGITS: usize = 17;
/// The largest exponent, positive or negative; others are replaced by it.
const MAX_EXPONENT: i32 = 400;

/// A decimal number: `mantissa` times ten to the power of `exponent`, without trailing zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    /// At most 18 digits.
    pub(super) mantissa: i64,
    /// From -500 to 500.
    pub(super) exponent: i16,
}

/// A number of a query: the number as written, and the numbers that are equal to it in its precision.
#[derive(Clone, Copy)]
pub(super) struct SearchedNumber {
    /// The number itself.
    pub(super) exact: Decimal,
    /// The least number that is equal to it.
    pub(super) least: Decimal,
    /// The least greater number that is not.
    pub(super) end: Decimal,
    /// Nine tenths of it, or eleven tenths of a negative number.
    pub(super) about_least: Decimal,
    /// Eleven tenths of it, or nine tenths of a negative number.
    pub(super) about_most: Decimal,
}

impl Decimal {
    /// Parses a JSON number; the text need not be canonical.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Digits::parse(text)?.exact())
    }

    /// A canonical number.
    pub(super) fn new(mut mantissa: i64, mut exponent: i32) -> Self {
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        let exponent = if mantissa == 0 { 0 } else { exponent };
        let exponent = i16::try_from(exponent.clamp(-500, 500)).unwrap_or(0);
        Self { mantissa, exponent }
    }

    /// The exponent of the first digit, plus one.
    fn magnitude(self) -> i64 {
        let digits = self.mantissa.unsigned_abs().checked_ilog10().unwrap_or(0);
        i64::from(digits).saturating_add(i64::from(self.exponent))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        if signs != Ordering::Equal || self.mantissa == 0 {
            return signs;
        }
        let larger = self.magnitude().cmp(&other.magnitude());
        let positive = self.mantissa > 0;
        if larger != Ordering::Equal {
            return if positive { larger } else { larger.reverse() };
        }
        // Equal magnitudes: the exponents differ by less than 19, and both products fit into 128 bits.
        let scaled = |number: Self, other: Self| {
            let shift = number.exponent.saturating_sub(other.exponent).max(0);
            let power = 10_i128.saturating_pow(u32::try_from(shift).unwrap_or(0));
            i128::from(number.mantissa).saturating_mul(power)
        };
        scaled(*self, *other).cmp(&scaled(*other, *self))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl SearchedNumber {
    /// Parses the number of a query.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = Digits::parse(text)?;
        let (mantissa, exponent) = (digits.mantissa, digits.exponent);
        // R4's example: 1e2 is 95 to 105, because an exponent's zeros count as one more digit.
        let (finer, at) = if digits.is_whole_with_exponent {
            (mantissa.saturating_mul(100), exponent.saturating_sub(2))
        } else {
            (mantissa.saturating_mul(10), exponent.saturating_sub(1))
        };
        let tenths =
            |count: i64| Decimal::new(mantissa.saturating_mul(count), exponent.saturating_sub(1));
        let (nine, eleven) = (tenths(9), tenths(11));
        Some(Self {
            exact: digits.exact(),
            least: Decimal::new(finer.saturating_sub(5), at),
            end: Decimal::new(finer.saturating_add(5), at),
            about_least: nine.min(eleven),
            about_most: nine.max(eleven),
        })
    }
}

/// A number as written.
struct Digits {
    /// At most 17 digits.
    mantissa: i64,
    exponent: i32,
    is_whole_with_exponent: bool,
}

impl Digits {
    fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, Some(exponent)),
            None => (text, None),
        };
        let (sign, digits) = match number.strip_prefix(['-', '+']) {
            Some(digits) if number.starts_with('-') => (-1, digits),
            Some(digits) => (1, digits),
            None => (1, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let complete = !whole.is_empty() && !digits.ends_with('.');
        if !complete || !is_digits(whole) || !is_digits(fraction) || text.len() > 100 {
            return None;
        }
        let written = exponent.map_or(Some(0), |text| text.parse::<i32>().ok())?;
        let mut at = written.clamp(-MAX_EXPONENT, MAX_EXPONENT);
        at = at.saturating_sub(i32::try_from(fraction.len()).ok()?);
        let mut mantissa = 0_i64;
        let all: Vec<u8> = whole
            .bytes()
            .chain(fraction.bytes())
            .skip_while(|byte| *byte == b'0')
            .collect();
        for byte in all.iter().take(MAX_DIGITS) {
            mantissa = mantissa
                .saturating_mul(10)
                .saturating_add(i64::from(byte.saturating_sub(b'0')));
        }
        let cut = all.len().saturating_sub(MAX_DIGITS);
        Some(Self {
            mantissa: mantissa.saturating_mul(sign),
            exponent: at.saturating_add(i32::try_from(cut).ok()?),
            is_whole_with_exponent: exponent.is_some() && fraction.is_empty(),
        })
    }

    fn exact(&self) -> Decimal {
        Decimal::new(self.mantissa, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn the_examples_of_r4_have_its_ranges() {
        for (searched, least, end) in [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("1e2", "95", "105"),
            ("5.4", "5.35", "5.45"),
            ("5.40e-3", "0.005395", "0.005405"),
            ("-5.4", "-5.45", "-5.35"),
            ("0", "-0.5", "0.5"),
        ] {
            let number = SearchedNumber::parse(searched).expect(searched);
            assert!(number.least == decimal(least), "{searched}");
            assert!(number.end == decimal(end), "{searched}");
        }
        for malformed in ["", "-", "1.", ".5", "1e", "1e2e3", "a", "1,2", "0x1", "1 "] {
            assert!(Decimal::parse(malformed).is_none(), "{malformed}");
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(decimal("1.50") == decimal("15e-1"));
        assert!(decimal("0.0") == decimal("-0e9"));
        assert!(decimal("1e999999") > decimal("9e300"));
        assert!(decimal("-1e-22") < decimal("0"));
        assert!(decimal("99999999999999999999") > decimal("9999999999999999999"));
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, p in 0_usize..6) {
            let scale = 10_i64.pow(u32::try_from(p).unwrap());
            let text = format!("{}{}.{:0p$}", if a < 0 { "-" } else { "" }, (a / scale).abs(), (a % scale).abs());
            let text = text.trim_end_matches('.');
            let left = Decimal::parse(text).unwrap();
            let right = Decimal::new(b, -i32::try_from(p).unwrap());
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }
    }
}
