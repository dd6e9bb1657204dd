//! Table `sessions`: browser sessions and bearer tokens.
//!
//! A session is ended by a column of its row, not by deleting the row, so that the scrubber finds by its digest a row that
//! was replaced by an older state. Rows are deleted after their absolute limit, when an older state grants nothing.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::SessionId;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;

table! {
    /// A browser session or a bearer token.
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
        /// The person's role at the beginning of the session.
        6 role: String,
        /// The method of authentication, by its name in the audit trail.
        7 method: String,
        /// The time of authentication.
        8 authenticated_at: OffsetDateTime,
        /// The absolute limit of the session.
        9 expires_at: OffsetDateTime,
        /// The time of the last use, from which the idle limit counts.
        volatile 10 seen_at: OffsetDateTime,
        /// The time of revocation.
        11 ended_at: Option<OffsetDateTime>,
        /// The scopes of the token of a machine client, separated by spaces.
        20 scopes: Option<String>,
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

    /// The sessions and tokens of a person that were not revoked and whose absolute limit is after `now`, at most `limit`, the
    /// newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn sessions_of(
        &self,
        organization: OrganizationId,
        person: PersonId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<SessionRow>, Error> {
        let records = select_sessions!(
            "WHERE t.organization = ? AND t.person = ? AND t.ended_at IS NULL AND t.expires_at > ?
             ORDER BY t.authenticated_at DESC, t.id LIMIT ?",
            organization.uuid(),
            person.uuid(),
            now,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(SessionRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &SessionRow| {
            row.organization == organization
                && row.person == person
                && row.ended_at.is_none()
                && row.expires_at > now
        };
        ensure_all("sessions", rows, |row| row.id, is_requested)
    }

    /// Stores the time of a session's last use. Guarded: `before` is the MAC of the row as it was read, so that a
    /// session that was ended meanwhile remains ended.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
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

    /// Deletes up to 1,000 sessions whose absolute limit is before `before`.
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
    /// Inserts a session.
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

    /// Ends a session. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
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
