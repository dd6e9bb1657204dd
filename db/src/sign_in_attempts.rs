//! Table `sign_in_attempts`: counters of sign-in attempts, shared by all instances of the app.
//!
//! A counter is a leaky bucket, stored as the time at which it is empty (the "theoretical arrival time" of GCRA, ITU-T
//! I.371): an attempt moves that time by the counter's interval, and is refused if it is too far ahead. Times are those
//! of the database's clock, so that the clocks of instances need not agree.

use std::time::Duration;

use crate::Database;
use crate::Error;
use crate::Transaction;

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
    /// See [`Error`]; [`Error::Conflict`] if a concurrent transaction made the row: the whole transaction may be
    /// retried at once.
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
        // Not zero: the attempt was refused a moment ago.
        Ok(Some(Duration::from_micros(micros.max(1))))
    }

    /// Makes the row of a counter with its first attempt. `ON DUPLICATE KEY UPDATE` would need the right to change the
    /// key column, which the app does not have.
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
            // A concurrent attempt was first: the transaction is tried again, and finds the row.
            Err(Error::UniqueViolation(_)) => Err(Error::Conflict),
            Err(error) => Err(error),
        }
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
