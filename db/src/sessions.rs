//! Table `sessions`: sessions of browsers and bearer tokens of programs.
//!
//! A session ends by a state in its row, not by the row's removal, so that putting an older row back is found by
//! its digest. Rows are removed once their absolute limit has passed: after that an old row is worth nothing.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::SessionId;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;

table! {
    /// A session of a browser, or a bearer token.
    pub struct SessionRow: SESSIONS, row id, select select_sessions {
        /// Labelled SHA-256 of the cookie or bearer token.
        1 token_hash: [u8; 32],
        /// The organization.
        2 organization: OrganizationId,
        /// The session.
        3 id: SessionId,
        /// `session` or `bearer`.
        4 kind: String,
        /// The person.
        5 person: PersonId,
        /// The role that it was begun in.
        6 role: String,
        /// How the person was authenticated, as the audit trail names it.
        7 method: String,
        /// When the person was authenticated.
        8 authenticated_at: OffsetDateTime,
        /// The absolute limit.
        9 expires_at: OffsetDateTime,
        /// When it was last used: the idle limit counts from here.
        volatile 10 seen_at: OffsetDateTime,
        /// When it was revoked.
        11 ended_at: Option<OffsetDateTime>,
    }
}

impl Database {
    /// The session with this hash, of any organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn session(&self, token_hash: [u8; 32]) -> Result<Option<SessionRow>, Error> {
        let record = select_sessions!("WHERE t.token_hash = ?", &token_hash[..])
            .fetch_optional(&self.pool)
            .await?;
        let row = record.map(SessionRow::try_from).transpose()?;
        row.map(|row| ensure("sessions", row, |row| row.token_hash == token_hash))
            .transpose()
    }

    /// Stores that a session was used, if the row is as it was read: `before` is its MAC then. A session that has
    /// ended meanwhile stays ended.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not.
    pub async fn touch_session(&self, row: &SessionRow, before: &[u8; 32]) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE sessions SET seen_at = ?, mac_key = ?, mac = ? WHERE token_hash = ? AND mac = ?",
            row.seen_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            &row.token_hash[..],
            &before[..],
        )
        .execute(self.writable().await?)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }

    /// Removes sessions whose absolute limit passed before `before`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_sessions_expired_before(
        &self,
        before: OffsetDateTime,
    ) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM sessions WHERE expires_at < ? LIMIT 1000",
            before
        )
        .execute(self.writable().await?)
        .await?;
        Ok(())
    }
}

impl Transaction {
    /// Adds a session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn insert_session(&mut self, row: &SessionRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// The session with this hash, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_session(
        &mut self,
        token_hash: [u8; 32],
    ) -> Result<Option<SessionRow>, Error> {
        let record = select_sessions!("WHERE t.token_hash = ? FOR UPDATE", &token_hash[..])
            .fetch_optional(&mut *self.inner)
            .await?;
        let row = record.map(SessionRow::try_from).transpose()?;
        row.map(|row| ensure("sessions", row, |row| row.token_hash == token_hash))
            .transpose()
    }

    /// Ends a session, if the row is as it was read: `before` is its MAC then.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not.
    pub async fn end_session(&mut self, row: &SessionRow, before: &[u8; 32]) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE sessions SET ended_at = ?, mac_key = ?, mac = ? WHERE token_hash = ? AND mac = ?",
            row.ended_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            &row.token_hash[..],
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
