//! The system clock, which no other module reads.

use time::OffsetDateTime;

/// The system clock. Services receive it as an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    /// The current time in UTC. Its resolution is that of the database, a microsecond, so that a
    /// row's MAC still verifies when the row is read back.
    #[expect(
        clippy::unused_self,
        reason = "only a clock that was passed gives the time"
    )]
    pub(crate) fn now(self) -> OffsetDateTime {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = OffsetDateTime::now_utc();
        now.replace_nanosecond(now.microsecond() * 1_000)
            .unwrap_or(now)
    }
}
