//! Table `sign_in_attempts`: counters of sign-in attempts, shared by all instances of the app.
//!
//! A counter is a leaky bucket, stored as the time at which it is empty (the "theoretical arrival time" of GCRA, ITU-T
//! I.371): an attempt moves that time by the counter's interval, and is refused if it is too far ahead. Times are those
//! of the database's clock, so that the clocks of instances need not agree.

use std::time::Duration;

use crate::{Database, Error, Transaction};

/// A counter and its limit.
#[derive(Clone, Copy, Debug)]
pub struct AttemptCounter {
    /// The name of the limiter: a keyed MAC.
    pub limiter: [u8; 16],
    /// The time after which one counted attempt is forgotten.
    pub interval: Duration,
    /// The attempts that may be counted at once, at least one.
    pub burst: u32,
}

impl AttemptCounter {
    fn interval_micros(&self) -> i64 {
        i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX)
    }

    /// How far ahead the counter's time may be for another attempt, in microseconds.
    fn slack_micros(&self) -> i64 {
        let others = i64::from(self.burst.saturating_sub(1));
        self.interval_micros().saturating_mul(others)
    }
}

impl Database {
    /// Removes up to `page` counters in which nothing is counted any more. The result is their number.
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
    /// Counts an attempt, unless the counter is full: then the result is the wait until it would be counted. The
    /// counter's row is locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Conflict`] if concurrent transactions locked counters in another order.
    pub async fn count_attempt(
        &mut self,
        counter: &AttemptCounter,
    ) -> Result<Option<Duration>, Error> {
        // Makes the row, or locks the one that is there: a concurrent attempt waits here.
        sqlx::query!(
            "INSERT INTO sign_in_attempts (limiter, free_at) VALUES (?, UTC_TIMESTAMP(6))
             ON DUPLICATE KEY UPDATE free_at = free_at",
            &counter.limiter[..],
        )
        .execute(&mut *self.inner)
        .await?;
        let counted = sqlx::query!(
            "UPDATE sign_in_attempts
             SET free_at = GREATEST(free_at, UTC_TIMESTAMP(6)) + INTERVAL ? MICROSECOND
             WHERE limiter = ? AND free_at <= UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND",
            counter.interval_micros(),
            &counter.limiter[..],
            counter.slack_micros(),
        )
        .execute(&mut *self.inner)
        .await?;
        if counted.rows_affected() == 1 {
            return Ok(None);
        }
        let ahead = sqlx::query_scalar!(
            r#"SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), free_at) AS "ahead!: i64"
               FROM sign_in_attempts WHERE limiter = ?"#,
            &counter.limiter[..],
        )
        .fetch_one(&mut *self.inner)
        .await?;
        let micros = u64::try_from(ahead.saturating_sub(counter.slack_micros())).unwrap_or(0);
        // Not zero: the attempt was refused a moment ago.
        Ok(Some(Duration::from_micros(micros.max(1))))
    }

    /// Takes one attempt back that was counted.
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

    /// Forgets every attempt that was counted.
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
