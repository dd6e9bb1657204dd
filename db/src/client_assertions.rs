//! Table `client_assertions`: the assertions of machine clients that were accepted, until they expire by themselves.
//!
//! The rows carry no MAC. A writer to the database who deletes one makes an assertion acceptable once more; it also needs the
//! assertion itself, which expires within minutes.

use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;

impl Database {
    /// Deletes up to `page` assertions that expired before `now`. Returns their number.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_assertions_expired_before(
        &self,
        now: OffsetDateTime,
        page: u32,
    ) -> Result<u64, Error> {
        let deleted = sqlx::query!(
            "DELETE FROM client_assertions WHERE expires_at < ? LIMIT ?",
            now,
            page,
        )
        .execute(self.writable().await?)
        .await?;
        Ok(deleted.rows_affected())
    }
}

impl Transaction {
    /// Stores that an assertion was accepted.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] for one that was accepted before.
    pub async fn insert_assertion(
        &mut self,
        assertion: [u8; 32],
        expires_at: OffsetDateTime,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO client_assertions (assertion, expires_at) VALUES (?, ?)",
            &assertion[..],
            expires_at,
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
