//! Table `sessions`: who is signed in at a browser.

use phi::{AuthenticatedRow, OrganizationId, RowEncoder, RowMac};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, PersonId};

/// A session, as stored.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// HMAC of the session cookie.
    pub token_hash: [u8; 32],
    /// The organization.
    pub organization: OrganizationId,
    /// Who is signed in.
    pub person: PersonId,
    /// Since when: the absolute limit counts from here.
    pub created_at: OffsetDateTime,
    /// When it was last used: the idle limit counts from here.
    pub seen_at: OffsetDateTime,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for SessionRow {
    const TABLE: &'static str = "sessions";

    fn encode(&self, row: &mut RowEncoder) {
        row.bytes(&self.token_hash);
        row.uuid(self.organization.uuid());
        row.uuid(self.person.0);
        row.time(self.created_at);
        row.time(self.seen_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

impl Database {
    /// Adds a session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn insert_session(&self, row: &SessionRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO sessions (token_hash, organization, person, created_at, seen_at, mac)
             VALUES (?, ?, ?, ?, ?, ?)",
            &row.token_hash[..],
            row.organization.uuid(),
            row.person.0,
            row.created_at,
            row.seen_at,
            &row.mac.as_bytes()[..],
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The session with this hash.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn session(&self, token_hash: [u8; 32]) -> Result<Option<SessionRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT organization AS "organization: Uuid", person AS "person: Uuid",
                      created_at AS "created_at: OffsetDateTime", seen_at AS "seen_at: OffsetDateTime", mac
               FROM sessions WHERE token_hash = ?"#,
            &token_hash[..],
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(SessionRow {
                token_hash,
                organization: row.organization.into(),
                person: PersonId(row.person),
                created_at: row.created_at,
                seen_at: row.seen_at,
                mac: RowMac::from_bytes(bytes32("sessions", &row.mac)?),
            })
        })
        .transpose()
    }

    /// Says that a session was used. A session that has ended meanwhile stays ended.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn touch_session(&self, row: &SessionRow) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE sessions SET seen_at = ?, mac = ? WHERE token_hash = ? AND seen_at < ?",
            row.seen_at,
            &row.mac.as_bytes()[..],
            &row.token_hash[..],
            row.seen_at,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_session(&self, token_hash: [u8; 32]) -> Result<(), Error> {
        sqlx::query!("DELETE FROM sessions WHERE token_hash = ?", &token_hash[..])
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Clears away sessions that were last used before `before`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_sessions_idle_since(&self, before: OffsetDateTime) -> Result<(), Error> {
        sqlx::query!("DELETE FROM sessions WHERE seen_at < ?", before)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
