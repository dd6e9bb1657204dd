//! Spans of seconds: what a FHIR date, dateTime, instant or period denotes (R4 3.1.1.4.7).

use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::Time;

use super::prefix::Prefix;
use crate::primitive::instant;
use crate::primitive::partial_date;

/// The last second of a day, counted from its first.
const DAY: i64 = 86_399;

/// The seconds that a date denotes since 1970 in UTC, both ends included; an open end of a period is the least or
/// greatest number. Fractions of seconds are cut off, and a date without a time zone is in UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSpan {
    /// The first second.
    pub(super) first: i64,
    /// The last second.
    pub(super) last: i64,
}

impl TimeSpan {
    /// Parses a stored date, dateTime or instant.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((first, parts)) = partial_date(text) {
            return Self::of_date(first, parts);
        }
        instant(text).map(Self::at)
    }

    /// Parses a date of a query, which may also be `YYYY-MM-DDThh:mm` or have no time zone.
    pub(super) fn searched(text: &str) -> Option<Self> {
        if let Some(span) = Self::parse(text) {
            return Some(span);
        }
        let (date, time) = text.split_once('T')?;
        let zone = time.find(['Z', '+', '-']);
        let (clock, zone) = time.split_at_checked(zone.unwrap_or(time.len()))?;
        let zone = if zone.is_empty() { "Z" } else { zone };
        let (seconds, length) = if clock.len() == 5 {
            (":00", 59)
        } else {
            ("", 0)
        };
        let first = instant(&format!("{date}T{clock}{seconds}{zone}"))?;
        let first = first.unix_timestamp();
        let last = first.saturating_add(length);
        Some(Self { first, last })
    }

    /// The second of an instant.
    pub(super) fn at(at: OffsetDateTime) -> Self {
        let second = at.unix_timestamp();
        Self {
            first: second,
            last: second,
        }
    }

    fn of_date(first: Date, parts: usize) -> Option<Self> {
        let last = match parts {
            1 => Date::from_calendar_date(first.year(), Month::December, 31).ok()?,
            2 => first.replace_day(first.month().length(first.year())).ok()?,
            _ => first,
        };
        let start = |date: Date| date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
        Some(Self {
            first: start(first),
            last: start(last).saturating_add(DAY),
        })
    }

    /// Whether a stored span matches this one of a query.
    pub(super) fn matches(self, prefix: Prefix, stored: Self) -> bool {
        let contained = self.first <= stored.first && stored.last <= self.last;
        let above = stored.last > self.last;
        let below = stored.first < self.first;
        match prefix {
            Prefix::Equal => contained,
            Prefix::NotEqual => !contained,
            Prefix::Greater => above,
            Prefix::Less => below,
            Prefix::GreaterOrEqual => above || contained,
            Prefix::LessOrEqual => below || contained,
            Prefix::StartsAfter => stored.first > self.last,
            Prefix::EndsBefore => stored.last < self.first,
            Prefix::About => stored.first <= self.last && self.first <= stored.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_r4_match_as_it_says() {
        let stored = |text: &str| TimeSpan::parse(text).expect(text);
        let period = |from: &str, to: &str| TimeSpan {
            first: stored(from).first,
            last: stored(to).last,
        };
        let open_end = TimeSpan {
            last: i64::MAX,
            ..stored("2013-01-21T00:00:00Z")
        };
        let matches = |query: &str, stored: TimeSpan| {
            let (prefix, date) = Prefix::split(query);
            TimeSpan::searched(date)
                .expect(query)
                .matches(prefix, stored)
        };
        for (query, value, expected) in [
            ("eq2013-01-14", stored("2013-01-14T00:00:00Z"), true),
            ("eq2013-01-14", stored("2013-01-14T10:00:00Z"), true),
            ("eq2013-01-14", stored("2013-01-15T00:00:00Z"), false),
            ("ne2013-01-14", stored("2013-01-15T00:00:00Z"), true),
            ("ne2013-01-14", stored("2013-01-14T10:00:00Z"), false),
            ("lt2013-01-14T10:00", stored("2013-01-14"), true),
            ("gt2013-01-14T10:00", stored("2013-01-14"), true),
            ("ge2013-03-14", open_end, true),
            ("le2013-03-14", open_end, true),
            ("sa2013-03-14", stored("2013-03-15T00:00:00Z"), true),
            ("sa2013-03-14", open_end, false),
            ("sa2013-03-14", period("2013-03-15", "2013-04-01"), true),
            ("eb2013-03-14", stored("2013-03-13T23:59:59Z"), true),
            ("eb2013-03-14", open_end, false),
            ("ap2013-03-14", stored("2013-03-14"), true),
            ("ap2013-03-14", stored("2013-03-21"), false),
            (
                "2013-01-14T10:00:30Z",
                stored("2013-01-14T10:00:30.5Z"),
                true,
            ),
            (
                "2013-01-14T10:00Z",
                stored("2013-01-14T11:00:59+01:00"),
                true,
            ),
        ] {
            assert_eq!(matches(query, value), expected, "{query}");
        }
        for malformed in [
            "2013-1",
            "T10:00",
            "2013-01-14T10",
            "2013-01-14T25:00",
            "10:00",
            "",
            "é",
        ] {
            assert!(TimeSpan::searched(malformed).is_none(), "{malformed}");
        }
    }
}
