//! Table `tokens`: bearer tokens of machine clients.

use phi::{AuthenticatedRow, OrganizationId, RowEncoder, RowMac};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, PersonId};

/// A bearer token, as stored.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// HMAC of the token.
    pub token_hash: [u8; 32],
    /// The organization.
    pub organization: OrganizationId,
    /// On whose behalf.
    pub person: PersonId,
    /// The role that it is bound to.
    pub role: String,
    /// When it was issued.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for TokenRow {
    const TABLE: &'static str = "tokens";

    fn encode(&self, row: &mut RowEncoder) {
        row.bytes(&self.token_hash);
        row.uuid(self.organization.uuid());
        row.uuid(self.person.0);
        row.text(&self.role);
        row.time(self.created_at);
        row.time(self.expires_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

impl Database {
    /// Adds a token.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn insert_token(&self, row: &TokenRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO tokens (token_hash, organization, person, role, created_at, expires_at, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            &row.token_hash[..],
            row.organization.uuid(),
            row.person.0,
            row.role,
            row.created_at,
            row.expires_at,
            &row.mac.as_bytes()[..],
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The token with this hash.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn token(&self, token_hash: [u8; 32]) -> Result<Option<TokenRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT organization AS "organization: Uuid", person AS "person: Uuid", role AS "role: String",
                      created_at AS "created_at: OffsetDateTime",
                      expires_at AS "expires_at: OffsetDateTime", mac
               FROM tokens WHERE token_hash = ?"#,
            &token_hash[..],
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(TokenRow {
                token_hash,
                organization: row.organization.into(),
                person: PersonId(row.person),
                role: row.role,
                created_at: row.created_at,
                expires_at: row.expires_at,
                mac: RowMac::from_bytes(bytes32("tokens", &row.mac)?),
            })
        })
        .transpose()
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_token(&self, token_hash: [u8; 32]) -> Result<(), Error> {
        sqlx::query!("DELETE FROM tokens WHERE token_hash = ?", &token_hash[..])
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Clears away tokens that ended before `before`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_tokens_expired_before(&self, before: OffsetDateTime) -> Result<(), Error> {
        sqlx::query!("DELETE FROM tokens WHERE expires_at < ?", before)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
