//! Sessions of browsers and bearer tokens of programs: stored as a hash, with idle and absolute limits.

use access::Caller;
use access::CredentialKind;
use access::RequestOrigin;
use audit::Event;
use db::SessionRow;
use phi::RowMac;
use phi::SecretToken;
use phi::SessionId;
use time::Duration;
use time::OffsetDateTime;

use super::Identity;
use super::Principal;
use crate::services::callers::label;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::written::written;

/// The lifetime of a bearer token.
const TOKEN_LIFETIME: Duration = Duration::hours(1);

/// A new session or bearer token.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// The cookie's or token's value: shown once, stored as a hash.
    pub(crate) token: SecretToken,
    /// The absolute limit.
    pub(crate) expires_at: OffsetDateTime,
}

impl Identity {
    /// Begins a session or issues a token, in one transaction with `event`.
    pub(crate) async fn begin_session(
        &self,
        principal: &Principal,
        kind: CredentialKind,
        origin: RequestOrigin,
        event: impl FnOnce(SessionId) -> Event,
    ) -> Result<NewSession, ServiceError> {
        let token = SecretToken::random();
        let now = self.clock.now();
        let (organization, id) = (principal.row.organization, SessionId::random());
        let method = match kind {
            CredentialKind::Session => "password",
            CredentialKind::Token => "token",
        };
        let expires_at = match kind {
            CredentialKind::Session => now + self.limits.absolute,
            CredentialKind::Token => now + TOKEN_LIFETIME,
        };
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(SessionRow {
            token_hash: token.hash(label(kind)),
            organization,
            id,
            kind: label(kind).to_owned(),
            person: principal.row.id,
            role: principal.role.name().to_owned(),
            method: method.to_owned(),
            authenticated_at: now,
            expires_at,
            seen_at: now,
            ended_at: None,
            mac: RowMac::UNSET,
        });
        let event = self
            .trail
            .seal(organization, origin.source, event(id))
            .await?;
        let mut transaction = self.database.begin().await?;
        transaction.insert_session(&row).await?;
        let event = event.listing(vec![written(&row)]);
        self.trail.commit_with(transaction, event).await?;
        self.database.delete_sessions_expired_before(now).await?;
        Ok(NewSession { token, expires_at })
    }

    /// Ends the caller's session or token.
    pub(crate) async fn end_session(&self, caller: &Caller) -> Result<(), ServiceError> {
        let organization = caller.organization();
        let key = self.keys.authorization(organization).await?;
        // Sealed before a connection is held: a new address or year takes one of its own. Without a check that the
        // caller may still act: a session may always be ended.
        let (event, log_organization, source) =
            access::sign_out_event(caller, self.clock.now()).into_parts();
        let event = self.trail.seal(log_organization, source, event).await?;
        let mut transaction = self.database.begin().await?;
        let row = transaction.lock_session(caller.credential().hash).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?.into_inner();
        let before = *row.mac.as_bytes();
        let row = key.authenticate(SessionRow {
            ended_at: Some(self.clock.now()),
            ..row
        });
        transaction.end_session(&row, &before).await?;
        let event = event
            .listing(vec![written(&row)])
            .changing(vec![Change::session(row.id)]);
        self.trail.commit_with(transaction, event).await?;
        self.callers.forget(caller.credential());
        Ok(())
    }
}
