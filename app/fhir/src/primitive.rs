//! The primitive types of R4 and the format of their values.

use serde_json::Value;
use time::Date;
use time::Duration;
use time::Month;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// The longest string, in characters (R4: 1 MB, as 1024 × 1024 characters).
const MAX_STRING: usize = 1_048_576;
/// The longest decimal, in characters.
const MAX_DECIMAL: usize = 64;
/// The largest offset of a time zone, in seconds: 14 hours.
const MAX_OFFSET_SECONDS: i32 = 14 * 3_600;

/// A primitive type of R4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Oid,
    PositiveInt,
    Text,
    Time,
    UnsignedInt,
    Uri,
    Uuid,
    Xhtml,
}

impl Primitive {
    /// The type with this FHIR name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" | "markdown" => Self::Text,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" | "url" => Self::Uri,
            "uuid" => Self::Uuid,
            "canonical" => Self::Canonical,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// Checks a value's format.
    ///
    /// # Errors
    ///
    /// A description of the format, which does not repeat the value.
    pub(crate) fn check(self, value: &Value) -> Result<(), &'static str> {
        let valid = match (self, value) {
            (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(_)) => whole(value, i64::from(i32::MIN)),
            (Self::UnsignedInt, Value::Number(_)) => whole(value, 0),
            (Self::PositiveInt, Value::Number(_)) => whole(value, 1),
            (Self::Decimal, Value::Number(number)) => number.as_str().len() <= MAX_DECIMAL,
            (_, Value::String(text)) => !text.is_empty() && self.matches(text),
            _ => false,
        };
        if valid { Ok(()) } else { Err(self.format()) }
    }

    fn matches(self, text: &str) -> bool {
        match self {
            Self::Boolean
            | Self::Decimal
            | Self::Integer
            | Self::PositiveInt
            | Self::UnsignedInt => false,
            Self::Text => !is_too_long(text) && !text.chars().any(is_control),
            // Not a string: R4 does not limit narratives, and those of large code systems are longer.
            Self::Xhtml => !text.chars().any(is_control),
            Self::Base64Binary => is_base64(text),
            Self::Code => is_code(text),
            Self::Date => partial_date(text).is_some(),
            Self::DateTime => partial_date(text).is_some() || instant(text).is_some(),
            Self::Id => {
                let allowed =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
                text.len() <= 64 && text.bytes().all(allowed)
            }
            Self::Instant => instant(text).is_some(),
            Self::Oid => text.strip_prefix("urn:oid:").is_some_and(is_oid),
            Self::Time => is_time(text),
            Self::Uri | Self::Canonical => !text.chars().any(|c| is_space(c) || is_control(c)),
            Self::Uuid => text
                .strip_prefix("urn:uuid:")
                .is_some_and(|id| id.len() == 36 && uuid::Uuid::try_parse(id).is_ok()),
        }
    }

    const fn format(self) -> &'static str {
        match self {
            Self::Base64Binary => "the value must be base64",
            Self::Boolean => "the value must be true or false",
            Self::Code => "a code must have no space at its ends, and no two in a row",
            Self::Date => "a date must be YYYY, YYYY-MM or YYYY-MM-DD, and a calendar date",
            Self::DateTime => {
                "a dateTime must be YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone"
            }
            Self::Decimal => "the value must be a number of at most 64 characters",
            Self::Id => "an id must be 1 to 64 letters, digits, hyphens and dots",
            Self::Instant => "an instant must be YYYY-MM-DDThh:mm:ss with a time zone",
            Self::Integer => "the value must be a 32-bit integer",
            Self::Oid => "the value must be urn:oid: with an object identifier",
            Self::PositiveInt => "the value must be an integer from 1 to 2147483647",
            Self::Text => {
                "the value must be text that is not empty, at most 1 MB long, and without control characters"
            }
            Self::Xhtml => {
                "the value must be text that is not empty and without control characters"
            }
            Self::Time => "a time must be hh:mm:ss",
            Self::UnsignedInt => "the value must be an integer from 0 to 2147483647",
            Self::Uri | Self::Canonical => "a URI must be text without spaces",
            Self::Uuid => "the value must be urn:uuid: with a UUID",
        }
    }
}

/// The first day of a FHIR `date`, and the number of its parts: 1980-01-01 and 1 for `1980`.
pub(crate) fn partial_date(text: &str) -> Option<(Date, usize)> {
    let sized = matches!(text.len(), 4 | 7 | 10);
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let count = match text.len() {
        4 => 1,
        7 => 2,
        _ => 3,
    };
    (sized && year > 0 && parts.next().is_none()).then_some((date, count))
}

/// The time of a FHIR `instant` or a complete `dateTime`. A leap second, which R4 allows in any minute, is
/// the first second of the next one.
pub(crate) fn instant(text: &str) -> Option<OffsetDateTime> {
    // RFC 3339 also permits a lower-case `t` or a space; FHIR does not.
    if text.as_bytes().get(10) != Some(&b'T') || text.contains('z') {
        return None;
    }
    let time = if text.get(17..19) == Some("60") {
        let (before, after) = (text.get(..17)?, text.get(19..)?);
        let before = Zeroizing::new(format!("{before}59{after}"));
        let time = OffsetDateTime::parse(&before, &Rfc3339).ok()?;
        time.checked_add(Duration::SECOND)?
    } else {
        OffsetDateTime::parse(text, &Rfc3339).ok()?
    };
    let in_range = time.offset().whole_seconds().abs() <= MAX_OFFSET_SECONDS;
    (in_range && !text.starts_with("0000")).then_some(time)
}

fn digits(text: &str, length: usize) -> Option<u16> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn whole(value: &Value, least: i64) -> bool {
    value
        .as_i64()
        .is_some_and(|number| number >= least && number <= i64::from(i32::MAX))
}

/// White space as R4's regular expressions mean it (`\s`): a no-break space or U+0085 is a letter like
/// others.
fn is_space(letter: char) -> bool {
    letter.is_ascii_whitespace() || letter == '\u{b}'
}

/// Whether a string is longer than R4 permits.
fn is_too_long(text: &str) -> bool {
    text.len() > MAX_STRING && text.chars().count() > MAX_STRING
}

fn is_control(letter: char) -> bool {
    // R4 excludes code points below 32. C1 controls are accepted: wrongly decoded text contains them.
    letter < '\u{20}' && !matches!(letter, '\t' | '\n' | '\r')
}

/// `hh:mm:ss` with or without a fraction; R4 allows second 60 in any minute.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let mut below = |limit| {
        parts
            .next()
            .and_then(|it| digits(it, 2))
            .is_some_and(|it| it < limit)
    };
    let valid = below(24) && below(60) && below(61);
    valid
        && parts.next().is_none()
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_code(text: &str) -> bool {
    let pairs = text.chars().zip(text.chars().skip(1));
    !text.starts_with(is_space)
        && !text.ends_with(is_space)
        && !text.chars().any(is_control)
        && !pairs.into_iter().any(|(a, b)| is_space(a) && is_space(b))
}

fn is_base64(text: &str) -> bool {
    let mut count = 0_usize;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
            return false;
        }
        count = count.saturating_add(1);
    }
    count > 0 && count.is_multiple_of(4)
}

fn is_oid(text: &str) -> bool {
    let mut arcs = text.split('.');
    let first = arcs
        .next()
        .is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let arc = |arc: &str| {
        let digits = !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
        digits && (arc == "0" || !arc.starts_with('0'))
    };
    first && text.contains('.') && arcs.all(arc)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(primitive: Primitive, valid: &[Value], invalid: &[Value]) {
        for value in valid {
            assert_eq!(primitive.check(value), Ok(()), "{value}");
        }
        for value in invalid {
            assert!(primitive.check(value).is_err(), "{value}");
        }
    }

    #[test]
    fn dates_are_calendar_dates() {
        let valid = [json!("1980"), json!("1980-02"), json!("1980-02-29")];
        let invalid = [
            "80",
            "1980-2",
            "1980-13",
            "1981-02-29",
            "1980-02-29T00:00:00Z",
            "0000",
            "",
        ];
        check(Primitive::Date, &valid, &invalid.map(|text| json!(text)));
    }

    #[test]
    fn a_date_with_a_time_has_a_zone() {
        let valid = [
            "1980",
            "2015-02-07T13:28:17-05:00",
            "2015-02-07T13:28:17.239Z",
        ]
        .map(|t| json!(t));
        let invalid = [
            "2015-02-07T13:28:17",
            "2015-02-07T13:28Z",
            "2015-02-07 13:28:17Z",
            "now",
        ];
        check(
            Primitive::DateTime,
            &valid,
            &invalid.map(|text| json!(text)),
        );
        check(
            Primitive::Instant,
            &[json!("2015-02-07T13:28:17Z")],
            &[json!("2015-02-07")],
        );
        let times = [json!("25:00:00"), json!("13:28"), json!("13:28:17Z")];
        check(
            Primitive::Time,
            &[json!("13:28:17.5"), json!("00:00:00"), json!("23:59:60")],
            &times,
        );
        let zones = [
            "2015-02-07T13:28:17+14:00",
            "2015-02-07T13:28:17-00:00",
            "2015-02-07T13:28:17.1234567890123Z",
        ]
        .map(|t| json!(t));
        let invalid = [
            "2015-02-07T13:28:17+14:01",
            "2015-02-07T13:28:17+23:00",
            "0000-02-07T13:28:17Z",
            "2015-02-07T24:00:00Z",
            "2015-02-07T13:28:17.Z",
        ];
        check(Primitive::Instant, &zones, &invalid.map(|text| json!(text)));
    }

    #[test]
    fn a_leap_second_is_a_second_of_any_minute() {
        let valid = [
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.999Z",
            "2015-02-07T13:28:60-05:00",
            "2015-02-07T13:28:60+14:00",
        ]
        .map(|t| json!(t));
        let invalid = [
            "2016-12-31T23:59:61Z",
            "2016-12-31T23:60:00Z",
            "2016-12-31T23:60:60Z",
            "9999-12-31T23:59:60Z",
            "2016-13-31T23:59:60Z",
            "2016-12-31T23:59:60",
            "2016-12-31T23:59:6\u{e9}",
        ]
        .map(|t| json!(t));
        for primitive in [Primitive::Instant, Primitive::DateTime] {
            check(primitive, &valid, &invalid);
        }
        let times = [json!("23:59:60"), json!("00:00:60.5")];
        let invalid = [json!("23:59:61"), json!("24:00:00"), json!("23:59:60Z")];
        check(Primitive::Time, &times, &invalid);
        let leap = instant("2016-12-31T23:59:60.5Z").expect("valid");
        assert_eq!(leap, instant("2017-01-01T00:00:00.5Z").expect("valid"));
    }

    #[test]
    fn a_string_has_at_most_a_megabyte_of_characters_and_a_narrative_any_number() {
        let text = json!("\u{e9}".repeat(MAX_STRING));
        let longer = json!("e".repeat(MAX_STRING + 1));
        let invalid = std::slice::from_ref(&longer);
        check(Primitive::Text, &[text], invalid);
        assert_eq!(Primitive::Xhtml.check(&longer), Ok(()));
    }

    #[test]
    fn c1_controls_are_allowed_and_c0_controls_are_not() {
        for code in 0x80..=0x9f_u8 {
            let text = format!("a{}b", char::from(code));
            for primitive in [
                Primitive::Text,
                Primitive::Xhtml,
                Primitive::Code,
                Primitive::Uri,
            ] {
                assert_eq!(primitive.check(&json!(text)), Ok(()), "{code:x}");
                let ends = format!("{0}a{0}", char::from(code));
                assert_eq!(primitive.check(&json!(ends)), Ok(()), "{code:x}");
            }
        }
        for code in (0..0x20_u8).filter(|code| !matches!(code, 9 | 10 | 13)) {
            let text = json!(format!("a{}b", char::from(code)));
            for primitive in [
                Primitive::Text,
                Primitive::Xhtml,
                Primitive::Code,
                Primitive::Uri,
            ] {
                assert!(primitive.check(&text).is_err(), "{code:x}");
            }
        }
    }

    #[test]
    fn numbers_are_within_their_ranges() {
        check(
            Primitive::Integer,
            &[json!(-7)],
            &[json!(1.5), json!(2_147_483_648_i64), json!("1")],
        );
        check(Primitive::PositiveInt, &[json!(1)], &[json!(0)]);
        check(Primitive::UnsignedInt, &[json!(0)], &[json!(-1)]);
        check(
            Primitive::Decimal,
            &[json!(1.50), json!(7)],
            &[json!("1.5"), json!(null)],
        );
    }

    #[test]
    fn text_has_the_format_of_its_type() {
        check(
            Primitive::Text,
            &[json!("a\nb"), json!(" "), json!("O\u{92}Neal")],
            &[json!(""), json!("a\u{0}b")],
        );
        let codes = [json!(" a"), json!("a  b"), json!("a\n")];
        check(Primitive::Code, &[json!("a b"), json!("<=")], &codes);
        check(
            Primitive::Id,
            &[json!("a-1.b")],
            &[json!("a_b"), json!("x".repeat(65))],
        );
        check(
            Primitive::Uri,
            &[json!("urn:x:y"), json!("#p1")],
            &[json!("a b")],
        );
        check(
            Primitive::Base64Binary,
            &[json!("QUJD\nQQ==")],
            &[json!("QUJ"), json!("Q*==")],
        );
        let oids = [json!("urn:oid:3.1"), json!("urn:oid:1.02"), json!("1.2.3")];
        check(Primitive::Oid, &[json!("urn:oid:1.2.840.0")], &oids);
        let uuid = json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520");
        check(
            Primitive::Uuid,
            &[uuid],
            &[json!("urn:uuid:c757873dec9a4326a141556f43239520")],
        );
    }
}
