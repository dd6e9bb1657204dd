//! Table `authenticators`: keys of authenticator apps, passkeys, recovery codes, and set-up codes, which sign no person in.
//!
//! An authenticator is ended by a column of its row, not by deleting the row, so that the scrubber finds by its digest a
//! row that was replaced by an older state.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::AuthenticatorSecret;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure_all;

table! {
    /// An authenticator of a person.
    pub struct AuthenticatorRow: AUTHENTICATORS, row row_id, select select_authenticators {
        /// The organization.
        1 organization: OrganizationId,
        /// The authenticator.
        2 id: Uuid,
        /// The row's id, to which the sealed column is bound.
        3 row_id: RowId,
        /// The person.
        4 person: PersonId,
        /// `totp`, `passkey`, `recovery-code` or `set-up-code`.
        5 kind: String,
        /// The key of a TOTP, a passkey, or the hash of a code, sealed in the organization's scope.
        6 secret: Sealed<AuthenticatorSecret>,
        /// The time at which it was made.
        7 created_at: OffsetDateTime,
        /// The time from which it is accepted: of an app that its person set up, that of its first code.
        8 confirmed_at: Option<OffsetDateTime>,
        /// The time step (RFC 6238) of the latest accepted code, or the signature counter that a passkey sent last.
        9 last_counter: Option<u32>,
        /// The time at which it was removed, replaced or used up.
        10 ended_at: Option<OffsetDateTime>,
        /// The time of the challenge that a passkey answered last.
        11 challenged_at: Option<OffsetDateTime>,
    }
}

impl Database {
    /// The authenticators of a person that have not ended, at most `limit`, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn authenticators(
        &self,
        organization: OrganizationId,
        person: PersonId,
        limit: u32,
    ) -> Result<Vec<AuthenticatorRow>, Error> {
        let records = select_authenticators!(
            "WHERE t.organization = ? AND t.person = ? AND t.ended_at IS NULL
             ORDER BY t.created_at, t.id LIMIT ?",
            organization.uuid(),
            person.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(AuthenticatorRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &AuthenticatorRow| {
            row.organization == organization && row.person == person && row.ended_at.is_none()
        };
        ensure_all("authenticators", rows, |row| row.id, is_requested)
    }
}

impl Transaction {
    /// Inserts authenticators.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn insert_authenticators(&mut self, rows: &[AuthenticatorRow]) -> Result<(), Error> {
        self.insert(rows).await
    }

    /// Stores the use, the confirmation or the end of an authenticator. Guarded: `before` is the MAC of the row as it was
    /// read, so that of two uses of one code the second fails.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_authenticator(
        &mut self,
        row: &AuthenticatorRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE authenticators SET confirmed_at = ?, last_counter = ?, ended_at = ?, challenged_at = ?,
                    mac_key = ?, mac = ?
             WHERE organization = ? AND id = ? AND mac = ?",
            row.confirmed_at,
            row.last_counter,
            row.ended_at,
            row.challenged_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.id,
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
