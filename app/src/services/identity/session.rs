//! Sessions of browsers and bearer tokens of programs: stored as hashes, with limits of idle time
//! and lifetime.

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
use crate::services::written_row::written_row;

/// The lifetime of a bearer token.
const TOKEN_LIFETIME: Duration = Duration::hours(1);

/// A new session or bearer token.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// The value of the cookie or bearer token, of which only a hash is stored.
    pub(crate) token: SecretToken,
    /// The end of its maximum lifetime.
    pub(crate) expires_at: OffsetDateTime,
}

impl Identity {
    /// Begins a session or issues a bearer token, in one transaction with its event.
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
        let event = event.with_rows(vec![written_row(&row)]);
        self.trail.commit_with(transaction, event).await?;
        self.database.delete_sessions_expired_before(now).await?;
        Ok(NewSession { token, expires_at })
    }

    /// Ends the caller's session or bearer token.
    pub(crate) async fn end_session(&self, caller: &Caller) -> Result<(), ServiceError> {
        let organization = caller.organization();
        let key = self.keys.authorization(organization).await?;
        // Sealed before the transaction holds a connection, since a new address or audit year needs
        // one of its own. The event has no caller to check: a session may always be ended.
        let (event, log_organization, source) =
            access::sign_out_event(caller, self.clock.now()).into_parts();
        let event = self.trail.seal(log_organization, source, event).await?;
        let mut transaction = self.database.begin().await?;
        let row = transaction.lock_session(caller.credential().hash).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?.into_inner();
        let former_mac = *row.mac.as_bytes();
        let row = key.authenticate(SessionRow {
            ended_at: Some(self.clock.now()),
            ..row
        });
        transaction.end_session(&row, &former_mac).await?;
        let event = event
            .with_rows(vec![written_row(&row)])
            .with_changes(vec![Change::session(row.id)]);
        self.trail.commit_with(transaction, event).await?;
        self.callers.forget(caller.credential());
        Ok(())
    }
}
