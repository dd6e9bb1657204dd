//! Equality of JSON values as the `test` operation defines it (RFC 6902 4.6).

use serde_json::Value;

/// Whether two values are equal: numbers by value (`1.0` and `1`), objects without regard to the order of members.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_str() == other.as_str() || same_number(one.as_str(), other.as_str())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, value)| other.get(name).is_some_and(|other| equal(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::String(one), Value::String(other)) => one == other,
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => false,
    }
}

/// Whether two JSON numbers have the same value.
fn same_number(one: &str, other: &str) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(one), Some(other)) => one == other,
        // An exponent beyond 64 bits: equal only if written equally.
        (None, _) | (_, None) => false,
    }
}

/// The sign, the digits without zeros at their ends, and the exponent of the last digit; zero has no digits.
fn canonical(number: &str) -> Option<(bool, Vec<u8>, i64)> {
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let end = digits.iter().rposition(|digit| *digit != b'0');
    let Some(end) = end else {
        return Some((false, Vec::new(), 0));
    };
    let begin = digits.iter().position(|digit| *digit != b'0')?;
    let zeros = digits.len().checked_sub(end)?.checked_sub(1)?;
    let exponent = exponent
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(zeros).ok()?)?;
    Some((is_negative, digits.get(begin..=end)?.to_vec(), exponent))
}

#[cfg(test)]
mod tests {
    use serde_json::from_str;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        for (one, other, same) in [
            ("1", "1.0", true),
            ("1e2", "100", true),
            ("100", "1.00E+2", true),
            ("0", "-0.000e9", true),
            ("0.010", "1e-2", true),
            ("1", "-1", false),
            ("10", "1", false),
            ("12345678901234567890.1", "12345678901234567890.2", false),
            ("1e99999999999999999999", "1e99999999999999999999", true),
            ("1e99999999999999999999", "1e99999999999999999998", false),
        ] {
            let (left, right): (Value, Value) = (from_str(one).unwrap(), from_str(other).unwrap());
            assert_eq!(equal(&left, &right), same, "{one} {other}");
        }
    }

    #[test]
    fn the_order_of_members_does_not_count_and_that_of_items_does() {
        let equal =
            |one: &str, other: &str| equal(&from_str(one).unwrap(), &from_str(other).unwrap());
        assert!(equal(r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1}"#));
        assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!equal("[1,2]", "[2,1]"));
        assert!(!equal("\"1\"", "1"));
        assert!(!equal("null", "false"));
    }
}
