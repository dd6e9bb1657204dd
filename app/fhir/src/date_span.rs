//! R4 dates as spans of days: `1933` is the whole year.

use time::Date;
use time::Month;

use crate::primitive::partial_date;

/// The days that a FHIR date denotes, both ends included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateSpan {
    first: Date,
    last: Date,
}

impl DateSpan {
    /// Parses `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, parts) = partial_date(text)?;
        let last = match parts {
            1 => Date::from_calendar_date(first.year(), Month::December, 31).ok()?,
            2 => first.replace_day(first.month().length(first.year())).ok()?,
            _ => first,
        };
        Some(Self { first, last })
    }

    /// The first day.
    #[must_use]
    pub const fn first(self) -> Date {
        self.first
    }

    /// The last day.
    #[must_use]
    pub const fn last(self) -> Date {
        self.last
    }

    /// Whether the span contains every day of `other`.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

// A date of birth is PHI.
impl std::fmt::Debug for DateSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DateSpan([redacted])")
    }
}
