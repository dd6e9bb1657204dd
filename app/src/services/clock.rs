//! The one place that reads the system's clock.

use time::OffsetDateTime;

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    /// Now, in UTC, to the microsecond: what is authenticated must be what the database can hold.
    #[expect(
        clippy::unused_self,
        reason = "time is had from a clock that was handed over"
    )]
    pub(crate) fn now(self) -> OffsetDateTime {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = OffsetDateTime::now_utc();
        now.replace_nanosecond(now.microsecond() * 1_000)
            .unwrap_or(now)
    }
}
