//! Table `sign_in_attempts`: counters of sign-in attempts, shared by all instances of the app.
//!
//! A counter is a leaky bucket, stored as the time at which it is empty (the "theoretical arrival time" of GCRA, ITU-T
//! I.371): an attempt moves that time by the counter's interval, and is refused if the time is too far ahead. Times are
//! those of the database's clock, so that the clocks of instances need not agree.

use std::time::Duration;

use crate::Database;
use crate::Error;
use crate::Transaction;

/// A counter of attempts and its limit.
#[derive(Clone, Copy, Debug)]
pub struct AttemptCounter {
    /// The id of the limiter: a keyed MAC of what it limits.
    pub limiter: [u8; 16],
    /// The time after which one counted attempt no longer counts.
    pub interval: Duration,
    /// The maximum number of counted attempts, at least one.
    pub burst: u32,
}

impl AttemptCounter {
    fn interval_micros(&self) -> i64 {
        i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX)
    }

    /// The maximum of the counter's time before another attempt is refused, in microseconds from now.
    fn slack_micros(&self) -> i64 {
        let earlier = i64::from(self.burst.saturating_sub(1));
        self.interval_micros().saturating_mul(earlier)
    }
}

impl Database {
    /// Deletes up to `page` empty counters. Returns their number.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_empty_attempt_counters(&self, page: u32) -> Result<u64, Error> {
        let deleted = sqlx::query!(
            "DELETE FROM sign_in_attempts WHERE free_at < UTC_TIMESTAMP(6) LIMIT ?",
            page,
        )
        .execute(self.writable().await?)
        .await?;
        Ok(deleted.rows_affected())
    }
}

impl Transaction {
    /// Counts an attempt, and returns `None`; if the counter is full, returns the wait until an attempt would be counted.
    /// The counter's row is locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Conflict`] if a concurrent transaction inserted the row: the whole transaction may
    /// be retried at once.
    pub async fn count_attempt(
        &mut self,
        counter: &AttemptCounter,
    ) -> Result<Option<Duration>, Error> {
        let updated = sqlx::query!(
            "UPDATE sign_in_attempts
             SET free_at = GREATEST(free_at, UTC_TIMESTAMP(6)) + INTERVAL ? MICROSECOND
             WHERE limiter = ? AND free_at <= UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND",
            counter.interval_micros(),
            &counter.limiter[..],
            counter.slack_micros(),
        )
        .execute(&mut *self.inner)
        .await?;
        if updated.rows_affected() == 1 {
            return Ok(None);
        }
        let ahead = sqlx::query_scalar!(
            r#"SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), free_at) AS "ahead!: i64"
               FROM sign_in_attempts WHERE limiter = ? FOR UPDATE"#,
            &counter.limiter[..],
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some(ahead) = ahead else {
            self.insert_attempt_counter(counter).await?;
            return Ok(None);
        };
        let micros = u64::try_from(ahead.saturating_sub(counter.slack_micros())).unwrap_or(0);
        // Not zero, since the attempt was refused a moment ago by the same clock.
        Ok(Some(Duration::from_micros(micros.max(1))))
    }

    /// Inserts the row of a counter with its first attempt. Not by `ON DUPLICATE KEY UPDATE`, which would need the right
    /// to update the key column, and the app's account does not have it.
    async fn insert_attempt_counter(&mut self, counter: &AttemptCounter) -> Result<(), Error> {
        let inserted = sqlx::query!(
            "INSERT INTO sign_in_attempts (limiter, free_at)
             VALUES (?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)",
            &counter.limiter[..],
            counter.interval_micros(),
        )
        .execute(&mut *self.inner)
        .await
        .map_err(Error::from);
        match inserted {
            Ok(_) => Ok(()),
            // A concurrent attempt inserted the row: a retry of the transaction updates it.
            Err(Error::UniqueViolation(_)) => Err(Error::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Subtracts one attempt that was counted.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn uncount_attempt(&mut self, counter: &AttemptCounter) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE sign_in_attempts SET free_at = free_at - INTERVAL ? MICROSECOND WHERE limiter = ?",
            counter.interval_micros(),
            &counter.limiter[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Deletes the counter, and with it all counted attempts.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_attempts(&mut self, counter: &AttemptCounter) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM sign_in_attempts WHERE limiter = ?",
            &counter.limiter[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
