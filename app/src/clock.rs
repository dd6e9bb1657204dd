//! The one place that reads the system's clock.

use time::OffsetDateTime;

/// Tells the time; fixed in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// The system's clock.
    System,
    /// Always the same moment.
    #[cfg(test)]
    Fixed(OffsetDateTime),
}

impl Clock {
    /// Now, in UTC, to the microsecond: what is authenticated must be what the database can hold.
    pub(crate) fn now(self) -> OffsetDateTime {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the clock")]
                let now = OffsetDateTime::now_utc();
                now.replace_nanosecond(now.microsecond() * 1_000)
                    .unwrap_or(now)
            }
            #[cfg(test)]
            Self::Fixed(now) => now,
        }
    }
}
