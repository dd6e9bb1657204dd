//! Conditions on dates (R4 3.1.1.4.7); search value and stored date are spans.

use crate::DateSpan;
use crate::InstantSpan;

/// A prefix: how a stored date is compared with the search value (R4 3.1.1.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatePrefix {
    /// `eq`: the value contains the stored date.
    Equal,
    /// `ne`: the value does not contain the stored date.
    NotEqual,
    /// `gt`: the stored date ends after the value.
    Greater,
    /// `lt`: the stored date begins before the value.
    Less,
    /// `ge`: greater or equal.
    GreaterOrEqual,
    /// `le`: less or equal.
    LessOrEqual,
    /// `sa`: the stored date begins after the end of the value.
    StartsAfter,
    /// `eb`: the stored date ends before the beginning of the value.
    EndsBefore,
}

/// A condition on a date.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateQuery {
    prefix: DatePrefix,
    span: DateSpan,
}

/// A condition on a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InstantQuery {
    prefix: DatePrefix,
    span: InstantSpan,
}

impl DatePrefix {
    /// The prefix of a search value, and the rest. `ap` (approximately) is not supported.
    fn split(text: &str) -> (Self, &str) {
        let prefixed = text.split_at_checked(2).and_then(|(prefix, date)| {
            let prefix = match prefix {
                "eq" => Self::Equal,
                "ne" => Self::NotEqual,
                "gt" => Self::Greater,
                "lt" => Self::Less,
                "ge" => Self::GreaterOrEqual,
                "le" => Self::LessOrEqual,
                "sa" => Self::StartsAfter,
                "eb" => Self::EndsBefore,
                _ => return None,
            };
            Some((prefix, date))
        });
        // Without a known prefix the whole text must be a date.
        prefixed.unwrap_or((Self::Equal, text))
    }

    /// Whether a stored span matches a value, both given as their first and last moment.
    #[must_use]
    pub fn compare<T: Copy + Ord>(self, stored: (T, T), value: (T, T)) -> bool {
        let contained = value.0 <= stored.0 && stored.1 <= value.1;
        let above = stored.1 > value.1;
        let below = stored.0 < value.0;
        match self {
            Self::Equal => contained,
            Self::NotEqual => !contained,
            Self::Greater => above,
            Self::Less => below,
            Self::GreaterOrEqual => above || contained,
            Self::LessOrEqual => below || contained,
            Self::StartsAfter => stored.0 > value.1,
            Self::EndsBefore => stored.1 < value.0,
        }
    }
}

impl DateQuery {
    /// Parses `[prefix]YYYY[-MM[-DD]]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (prefix, date) = DatePrefix::split(text);
        let span = DateSpan::parse(date)?;
        Some(Self { prefix, span })
    }

    /// The prefix.
    #[must_use]
    pub const fn prefix(self) -> DatePrefix {
        self.prefix
    }

    /// The days of the search value.
    #[must_use]
    pub const fn span(self) -> DateSpan {
        self.span
    }

    /// Whether a stored date matches.
    #[must_use]
    pub fn matches(self, stored: DateSpan) -> bool {
        let ends = |span: DateSpan| (span.first(), span.last());
        self.prefix.compare(ends(stored), ends(self.span))
    }
}

impl InstantQuery {
    /// A condition.
    #[must_use]
    pub const fn new(prefix: DatePrefix, span: InstantSpan) -> Self {
        Self { prefix, span }
    }

    /// Parses `[prefix]YYYY[-MM[-DD[Thh:mm[:ss[.fff]][zone]]]]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (prefix, time) = DatePrefix::split(text);
        let span = InstantSpan::parse(time)?;
        Some(Self { prefix, span })
    }

    /// Whether a stored time matches.
    #[must_use]
    pub fn matches(self, stored: InstantSpan) -> bool {
        let ends = |span: InstantSpan| (span.first(), span.last());
        self.prefix.compare(ends(stored), ends(self.span))
    }

    /// The ranges of single milliseconds that match, both ends included.
    #[must_use]
    pub fn instants(self) -> [Option<(i64, i64)>; 2] {
        let (first, last) = (self.span.first(), self.span.last());
        let before = (i64::MIN, first.saturating_sub(1));
        let after = (last.saturating_add(1), i64::MAX);
        match self.prefix {
            DatePrefix::Equal => [Some((first, last)), None],
            DatePrefix::NotEqual => [Some(before), Some(after)],
            DatePrefix::Greater | DatePrefix::StartsAfter => [Some(after), None],
            DatePrefix::Less | DatePrefix::EndsBefore => [Some(before), None],
            DatePrefix::GreaterOrEqual => [Some((first, i64::MAX)), None],
            DatePrefix::LessOrEqual => [Some((i64::MIN, last)), None],
        }
    }
}

impl std::fmt::Debug for InstantQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstantQuery([redacted])")
    }
}

impl std::fmt::Debug for DateQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DateQuery([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_compared_as_r4_defines() {
        // A year, one of its months, one of the month's days.
        let stored = ["1933", "1933-05", "1933-05-17"].map(|text| DateSpan::parse(text).unwrap());
        for (query, expected) in [
            ("1933", [true, true, true]),
            ("1933-05", [false, true, true]),
            ("eq1933-05-17", [false, false, true]),
            ("ne1933-05", [true, false, false]),
            ("ge1933-01-01", [true, true, true]),
            ("gt1932-12-31", [true, true, true]),
            ("lt1934", [true, true, true]),
            ("gt1933", [false, false, false]),
            ("gt1933-05-17", [true, true, false]),
            ("lt1933-05-01", [true, false, false]),
            ("ge1933-05-17", [true, true, true]),
            ("le1933-05-17", [true, true, true]),
            ("le1933-04", [true, false, false]),
            ("sa1933-05-16", [false, false, true]),
            ("sa1932", [true, true, true]),
            ("eb1933-05-18", [false, false, true]),
            ("eb1934", [true, true, true]),
            ("gt9999-12-31", [false, false, false]),
            ("lt0001-01-01", [false, false, false]),
        ] {
            let query = DateQuery::parse(query).expect(query);
            assert_eq!(
                stored.map(|span| query.matches(span)),
                expected,
                "{query:?}"
            );
        }
        for instant in [i64::MIN, 0, 1_000, 1_500, 1_999, 2_000, i64::MAX] {
            for prefix in ["", "ne", "gt", "lt", "ge", "le", "sa", "eb"] {
                let query = InstantQuery::parse(&format!("{prefix}1970-01-01T00:00:01Z"));
                let query = query.expect(prefix);
                let mut ranges = query.instants().into_iter().flatten();
                assert_eq!(
                    ranges.any(|(first, last)| first <= instant && instant <= last),
                    query.matches(InstantSpan::at(instant)),
                    "{prefix} {instant}"
                );
            }
        }
        for malformed in [
            "ap1933",
            "1933-13",
            "33",
            "ge",
            "1933-05-17T10:00",
            "xx1933",
        ] {
            assert!(DateQuery::parse(malformed).is_none(), "{malformed}");
        }
    }
}
