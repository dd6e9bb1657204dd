//! Conditions on dates (R4 3.1.1.4.7); search value and stored date are spans.

use crate::DateSpan;

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

impl DateQuery {
    /// Parses `[prefix]YYYY[-MM[-DD]]`; `ap` (approximately) is not supported.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let prefixed = text.split_at_checked(2).and_then(|(prefix, date)| {
            let prefix = match prefix {
                "eq" => DatePrefix::Equal,
                "ne" => DatePrefix::NotEqual,
                "gt" => DatePrefix::Greater,
                "lt" => DatePrefix::Less,
                "ge" => DatePrefix::GreaterOrEqual,
                "le" => DatePrefix::LessOrEqual,
                "sa" => DatePrefix::StartsAfter,
                "eb" => DatePrefix::EndsBefore,
                _ => return None,
            };
            Some((prefix, date))
        });
        // Without a known prefix the whole text must be a date.
        let (prefix, date) = prefixed.unwrap_or((DatePrefix::Equal, text));
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
        let contained = self.span.contains(stored);
        let above = stored.last() > self.span.last();
        let below = stored.first() < self.span.first();
        match self.prefix {
            DatePrefix::Equal => contained,
            DatePrefix::NotEqual => !contained,
            DatePrefix::Greater => above,
            DatePrefix::Less => below,
            DatePrefix::GreaterOrEqual => above || contained,
            DatePrefix::LessOrEqual => below || contained,
            DatePrefix::StartsAfter => stored.first() > self.span.last(),
            DatePrefix::EndsBefore => stored.last() < self.span.first(),
        }
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
