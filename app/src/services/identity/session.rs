//! Sessions of browsers and bearer tokens of programs: stored as hashes, with limits of idle time
//! and lifetime.

use access::Caller;
use access::CredentialKind;
use access::RequestOrigin;
use access::Role;
use audit::Assurance;
use audit::Event;
use audit::WrittenRow;
use db::AuthenticatorRow;
use db::SessionRow;
use db::Transaction;
use phi::OrganizationId;
use phi::PersonId;
use phi::RowMac;
use phi::SecretToken;
use phi::SessionId;
use time::Duration;
use time::OffsetDateTime;

use super::Identity;
use super::VerifiedCredentials;
use super::authenticators::UsedAuthenticator;
use super::standing::Standing;
use crate::services::callers::label;
use crate::services::callers::method;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::TrailError;
use crate::services::trail::ensure_digest;
use crate::services::written_row::written_row;

/// The lifetime of a bearer token of a person.
const TOKEN_LIFETIME: Duration = Duration::hours(1);
/// The lifetime of a token of a machine client: the maximum of SMART Backend Services ("should not exceed 300").
pub(crate) const CLIENT_TOKEN_LIFETIME: Duration = Duration::minutes(5);

/// A new session or bearer token.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// The value of the cookie or bearer token, of which only a hash is stored.
    pub(crate) token: SecretToken,
    /// The end of its maximum lifetime.
    pub(crate) expires_at: OffsetDateTime,
}

/// The person and the method of a new session.
pub(super) struct SessionOf {
    pub(super) organization: OrganizationId,
    pub(super) person: PersonId,
    pub(super) role: Role,
    pub(super) kind: CredentialKind,
    pub(super) assurance: Assurance,
    /// The scopes of the token of a machine client.
    pub(super) scopes: Option<String>,
}

impl Identity {
    /// Begins a session or issues a bearer token, in one transaction with its event, with the use of a
    /// code or passkey and with a new hash of the password. None if it was used meanwhile.
    pub(crate) async fn begin_session(
        &self,
        verified: VerifiedCredentials,
        kind: CredentialKind,
        origin: RequestOrigin,
        event: impl FnOnce(SessionId, Assurance) -> Event,
    ) -> Result<Option<NewSession>, ServiceError> {
        let VerifiedCredentials {
            principal,
            credential,
            used,
            rehashed,
        } = verified;
        let rehashed = self.rehashed(&credential, rehashed).await?;
        let assurance = match (kind, &used) {
            (_, Some(used)) => used.assurance(),
            (CredentialKind::Session, None) => Assurance::Password,
            (CredentialKind::Token, None) => Assurance::Token,
        };
        let organization = principal.row.organization;
        let (session, row) = self
            .new_session(SessionOf {
                organization,
                person: principal.row.id,
                role: principal.role,
                kind,
                assurance,
                scopes: None,
            })
            .await?;
        let event = event(row.id, assurance);
        let event = self.trail.seal(organization, origin.source, event).await?;
        let mut rows = vec![written_row(&row)];
        let mut transaction = self.database.begin().await?;
        let standing = self.standing(&mut transaction, &principal.row, &credential);
        match standing.await? {
            Standing::Changed => {
                transaction.rollback().await?;
                return Ok(None);
            }
            Standing::Rehashed => {}
            Standing::Unchanged => {
                if let Some(rehashed) = rehashed {
                    let former_mac = credential.mac.as_bytes();
                    transaction.update_credential(&rehashed, former_mac).await?;
                    rows.push(written_row(&rehashed));
                }
            }
        }
        if let Some(used) = &used {
            match self.store_use(&mut transaction, used).await {
                Err(TrailError::Database(db::Error::Conflict)) => {
                    transaction.rollback().await?;
                    return Ok(None);
                }
                stored => rows.push(stored?),
            }
        }
        transaction.insert_session(&row).await?;
        let event = event.with_rows(rows);
        self.trail.commit_with(transaction, event).await?;
        let now = row.authenticated_at;
        self.database.delete_sessions_expired_before(now).await?;
        Ok(Some(session))
    }

    /// Stores the use of an authenticator. Returns the written row.
    ///
    /// # Errors
    ///
    /// [`db::Error::Conflict`] if it was used meanwhile.
    pub(super) async fn store_use(
        &self,
        transaction: &mut Transaction,
        used: &UsedAuthenticator,
    ) -> Result<WrittenRow, TrailError> {
        let organization = used.row.organization;
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(used.row.clone());
        let former_mac = used.row.mac.as_bytes();
        transaction.update_authenticator(&row, former_mac).await?;
        let id = row.row_id.uuid();
        ensure_digest::<AuthenticatorRow>(transaction, organization, id, used.former_digest)
            .await?;
        Ok(written_row(&row))
    }

    /// Ends the caller's session or bearer token.
    pub(crate) async fn end_session(&self, caller: &Caller) -> Result<(), ServiceError> {
        // Sealed before the transaction holds a connection, since a new address or audit year needs
        // one of its own. The event has no caller to check: a session may always be ended.
        let (event, log_organization, source) =
            access::sign_out_event(caller, self.clock.now()).into_parts();
        let event = self.trail.seal(log_organization, source, event).await?;
        self.keys.authorization(caller.organization()).await?;
        let mut transaction = self.database.begin().await?;
        let row = self.end_locked(&mut transaction, caller).await?;
        let event = event
            .with_rows(vec![written_row(&row)])
            .with_changes(vec![Change::session(row.id)]);
        self.trail.commit_with(transaction, event).await?;
        self.callers.forget(caller.credential());
        Ok(())
    }

    /// Ends a session of a browser whose time is over. Any other one stays as it is.
    pub(crate) async fn end_idle_session(
        &self,
        token: &SecretToken,
        origin: RequestOrigin,
        event: impl FnOnce(OrganizationId) -> Event,
    ) -> Result<(), ServiceError> {
        let hash = token.hash(label(CredentialKind::Session));
        let Some(row) = self.database.session(hash).await? else {
            return Ok(());
        };
        let organization = row.organization;
        let Some(read) = self.keys.verify_untampered(organization, row).await? else {
            return Ok(());
        };
        if read.ended_at.is_some() || !self.callers.is_over(&read) {
            return Ok(());
        }
        let event = Event {
            person: Some(read.person.uuid()),
            role: Some(read.role.clone()),
            session: Some(read.id.uuid()),
            ..event(organization)
        };
        let event = self.trail.seal(organization, origin.source, event).await?;
        let mut transaction = self.database.begin().await?;
        let locked = transaction.lock_session(hash).await?;
        let Some(locked) = locked.filter(|locked| locked.mac.as_bytes() == read.mac.as_bytes())
        else {
            // Another request has ended it or used it.
            return Ok(transaction.rollback().await?);
        };
        let ended = self.end_row(&mut transaction, locked).await?;
        let event = event
            .with_rows(vec![written_row(&ended)])
            .with_changes(vec![Change::session(ended.id)]);
        Ok(self.trail.commit_with(transaction, event).await?)
    }

    /// A new session with its row, which is not stored yet.
    pub(super) async fn new_session(
        &self,
        of: SessionOf,
    ) -> Result<(NewSession, SessionRow), ServiceError> {
        let token = SecretToken::random();
        let now = self.clock.now();
        let expires_at = match of.kind {
            CredentialKind::Session => now + self.callers.limits().absolute,
            CredentialKind::Token if of.scopes.is_some() => now + CLIENT_TOKEN_LIFETIME,
            CredentialKind::Token => now + TOKEN_LIFETIME,
        };
        let key = self.keys.authorization(of.organization).await?;
        let row = key.authenticate(SessionRow {
            token_hash: token.hash(label(of.kind)),
            organization: of.organization,
            id: SessionId::random(),
            kind: label(of.kind).to_owned(),
            person: of.person,
            role: of.role.name().to_owned(),
            method: method(of.assurance).to_owned(),
            authenticated_at: now,
            expires_at,
            seen_at: now,
            ended_at: None,
            scopes: of.scopes,
            mac: RowMac::UNSET,
        });
        Ok((NewSession { token, expires_at }, row))
    }

    /// Ends the caller's session in a transaction. Returns the row.
    pub(super) async fn end_locked(
        &self,
        transaction: &mut Transaction,
        caller: &Caller,
    ) -> Result<SessionRow, ServiceError> {
        let organization = caller.organization();
        let row = transaction.lock_session(caller.credential().hash).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?.into_inner();
        if row.ended_at.is_some() {
            return Err(ServiceError::SignInRequired);
        }
        self.end_row(transaction, row).await
    }

    /// Ends a session whose row is verified and locked. Returns the new row.
    async fn end_row(
        &self,
        transaction: &mut Transaction,
        row: SessionRow,
    ) -> Result<SessionRow, ServiceError> {
        let key = self.keys.authorization(row.organization).await?;
        let former_mac = *row.mac.as_bytes();
        let row = key.authenticate(SessionRow {
            ended_at: Some(self.clock.now()),
            ..row
        });
        transaction.end_session(&row, &former_mac).await?;
        Ok(row)
    }
}
