//! R4 dates and times as spans of milliseconds: `2020-05` is the whole month.

use time::Date;
use time::PrimitiveDateTime;
use time::Time;
use time::UtcOffset;
use zeroize::Zeroize;

use crate::DateSpan;

/// Milliseconds of a second.
const SECOND: i64 = 1_000;
/// Milliseconds of a minute.
const MINUTE: i64 = 60 * SECOND;
/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * MINUTE;
/// Maximum digits of a fraction of a second. Milliseconds are compared.
const MAX_FRACTION: usize = 12;

/// The time that a FHIR date or dateTime denotes, both ends included, in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstantSpan {
    first: i64,
    last: i64,
}

impl InstantSpan {
    /// One millisecond.
    #[must_use]
    pub const fn at(millis: i64) -> Self {
        Self {
            first: millis,
            last: millis,
        }
    }

    /// The time from `first` to `last`; `None` if `last` is earlier.
    #[must_use]
    pub const fn new(first: i64, last: i64) -> Option<Self> {
        if first <= last {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// Parses a date or a dateTime; seconds and time zone may be missing, as in search values. Times
    /// without a zone are in UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(days) = DateSpan::parse(text) {
            let begin = |day: Date| day.midnight().assume_utc().unix_timestamp() * SECOND;
            return Some(Self {
                first: begin(days.first()),
                last: begin(days.last()) + DAY - 1,
            });
        }
        let (date, rest) = text.split_once('T')?;
        let day = DateSpan::parse(date).filter(|_| date.len() == 10)?;
        let (time, offset) = split_zone(rest)?;
        let (time, millis, width) = parse_time(time)?;
        let begin = PrimitiveDateTime::new(day.first(), time).assume_offset(offset);
        let first = begin.unix_timestamp() * SECOND + millis;
        Some(Self {
            first,
            last: first + width - 1,
        })
    }

    /// The first millisecond.
    #[must_use]
    pub const fn first(self) -> i64 {
        self.first
    }

    /// The last millisecond.
    #[must_use]
    pub const fn last(self) -> i64 {
        self.last
    }
}

/// A time and its offset from UTC.
fn split_zone(text: &str) -> Option<(&str, UtcOffset)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, UtcOffset::UTC));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, UtcOffset::UTC));
    };
    let (time, zone) = text.split_at_checked(at)?;
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let hours = i8::try_from(two_digits(hours)?).ok()?;
    let minutes = i8::try_from(two_digits(minutes)?).ok()?;
    let is_zone = hours <= 14 && minutes < 60;
    let offset = UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?;
    is_zone.then_some((time, offset))
}

/// The time of `hh:mm[:ss[.fff]]` in whole seconds, its milliseconds, and the milliseconds that it lasts.
fn parse_time(text: &str) -> Option<(Time, i64, i64)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut parts = whole.split(':');
    let hour = two_digits(parts.next()?)?;
    let minute = two_digits(parts.next()?)?;
    let second = parts.next();
    let time = Time::from_hms(hour, minute, second.map_or(Some(0), two_digits)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let Some(fraction) = fraction else {
        let width = if second.is_some() { SECOND } else { MINUTE };
        return Some((time, 0, width));
    };
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if second.is_none() || !is_digits || !(1..=MAX_FRACTION).contains(&fraction.len()) {
        return None;
    }
    let mut digits = fraction.bytes().map(|byte| i64::from(byte - b'0'));
    let mut millis = 0;
    let mut width = SECOND;
    for _ in 0..3 {
        let digit = digits.next();
        millis = 10 * millis + digit.unwrap_or(0);
        if digit.is_some() {
            width /= 10;
        }
    }
    Some((time, millis, width))
}

fn two_digits(text: &str) -> Option<u8> {
    let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

impl Zeroize for InstantSpan {
    fn zeroize(&mut self) {
        self.first.zeroize();
        self.last.zeroize();
    }
}

// A date of death is PHI.
impl std::fmt::Debug for InstantSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstantSpan([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> (i64, i64) {
        let span = InstantSpan::parse(text).expect(text);
        (span.first(), span.last())
    }

    #[test]
    fn a_time_lasts_as_long_as_its_precision() {
        let at = 1_600_000_000_000;
        for (text, expected) in [
            ("2020-09-13T12:26:40Z", (at, at + 999)),
            ("2020-09-13T14:26:40+02:00", (at, at + 999)),
            ("2020-09-13T07:56:40-04:30", (at, at + 999)),
            ("2020-09-13T12:26:40.5Z", (at + 500, at + 599)),
            ("2020-09-13T12:26:40.123Z", (at + 123, at + 123)),
            ("2020-09-13T12:26:40.123456Z", (at + 123, at + 123)),
            ("2020-09-13T12:26", (at - 40_000, at + 19_999)),
        ] {
            assert_eq!(span(text), expected, "{text}");
        }
        assert_eq!(span("1970-01-01"), (0, DAY - 1));
        assert_eq!(span("1970"), (0, 365 * DAY - 1));
        assert_eq!(span("0001").0, -62_135_596_800_000);
        assert_eq!(span("9999-12-31").1, 253_402_300_799_999);
    }

    #[test]
    fn a_malformed_time_has_no_span() {
        for text in [
            "",
            "2020-09-13T",
            "2020-09T10:00",
            "2020-09-13T24:00",
            "2020-09-13T10",
            "2020-09-13T10:00:00.",
            "2020-09-13T10:00.5",
            "2020-09-13T10:00:00+1",
            "2020-09-13T10:00:00+15:00",
            "2020-09-13T10:00:00 02:00",
            "2020-09-13 10:00:00Z",
            "2020-09-13T10:00:00:00Z",
            "2020-02-30T10:00:00Z",
        ] {
            assert!(InstantSpan::parse(text).is_none(), "{text}");
        }
    }
}
