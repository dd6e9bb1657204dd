//! Bearer tokens of machine clients: a hash stored, bound to a role and an organization, short-lived.

use db::TokenRow;
use phi::{OrganizationId, RowMac, SecretToken};
use time::{Duration, OffsetDateTime};

use super::{Identity, IdentityError, Member};

/// How long a token lasts.
const LIFE: Duration = Duration::hours(1);

/// A token just issued.
#[derive(Debug)]
pub(crate) struct NewToken {
    /// Shown once; only its hash is stored.
    pub(crate) token: SecretToken,
    /// When it ends.
    pub(crate) expires_at: OffsetDateTime,
}

impl Identity {
    /// Issues a token on behalf of a person, in the role that they have now.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn issue_token(&self, member: &Member) -> Result<NewToken, IdentityError> {
        let token = SecretToken::random();
        let now = self.clock.now();
        let mut row = TokenRow {
            token_hash: self.bearer_hash(&token).await?,
            organization: member.row.organization,
            person: member.row.id,
            role: member.role.name().to_owned(),
            created_at: now,
            expires_at: now + LIFE,
            mac: RowMac::UNSET,
        };
        row.mac = self
            .keys
            .authorization(row.organization)
            .await?
            .authenticate(&row);
        self.database.insert_token(&row).await?;
        self.database.delete_tokens_expired_before(now).await?;
        Ok(NewToken {
            token,
            expires_at: row.expires_at,
        })
    }

    /// Who a token stands for, if it has not ended and the person still has its role.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn of_token(
        &self,
        token: &SecretToken,
    ) -> Result<Option<(Member, [u8; 32])>, IdentityError> {
        let hash = self.bearer_hash(token).await?;
        let Some(row) = self.database.token(hash).await? else {
            return Ok(None);
        };
        let row = self.verified(row.organization, row).await?;
        if row.expires_at <= self.clock.now() {
            return Ok(None);
        }
        let Some(person) = self.database.person(row.organization, row.person).await? else {
            return Ok(None);
        };
        let member = self.member(person).await?;
        Ok(member
            .filter(|member| member.role.name() == row.role)
            .map(|member| (member, hash)))
    }

    /// Ends a token.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn end_token(&self, hash: [u8; 32]) -> Result<(), IdentityError> {
        Ok(self.database.delete_token(hash).await?)
    }

    async fn bearer_hash(&self, token: &SecretToken) -> Result<[u8; 32], IdentityError> {
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        Ok(key.token_hash("bearer", token.expose().as_bytes()))
    }
}
