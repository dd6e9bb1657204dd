//! The replacement of a session by a new one, after a change of the person's authentication or with a recent second factor.

use access::Caller;
use access::CredentialKind;
use audit::Assurance;
use audit::Event;
use audit::WrittenRow;
use db::CredentialRow;
use db::PersonRow;
use db::SessionRow;
use db::Transaction;
use phi::SessionId;
use time::OffsetDateTime;

use super::Identity;
use super::account::Account;
use super::authenticators::UsedAuthenticator;
use super::session::NewSession;
use super::session::SessionOf;
use super::standing::Standing;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::TrailError;
use crate::services::written_row::written_row;

/// Evidence that a caller's session may be replaced by a new one: the caller has shown a second factor, or has set a password.
#[derive(Debug)]
pub(crate) struct SessionRenewal {
    /// The person.
    pub(super) account: Account,
    /// The method by which the person is authenticated now.
    pub(super) assurance: Assurance,
    /// The value of the person's row that the change has left: another one ends the new session, too.
    pub(super) sessions_since: Option<OffsetDateTime>,
    /// The use of the authenticator that was shown, if it is not stored yet.
    pub(super) pending: Option<PendingUse>,
    /// The maximum lifetime of the new session; none for that of a sign-in.
    pub(super) expires_at: Option<OffsetDateTime>,
}

/// A use of an authenticator that is not stored yet, with the rows of the account that it was verified against.
#[derive(Debug)]
pub(super) struct PendingUse {
    pub(super) used: UsedAuthenticator,
    pub(super) person: PersonRow,
    pub(super) credential: CredentialRow,
}

impl Identity {
    /// Replaces the caller's session by a new one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] also if the same code was used meanwhile.
    pub(crate) async fn renew_session(
        &self,
        caller: &Caller,
        renewal: &SessionRenewal,
        event: impl FnOnce(SessionId, Assurance) -> Event,
    ) -> Result<NewSession, ServiceError> {
        let Account {
            organization,
            person,
        } = renewal.account;
        let is_own = organization == caller.organization() && person.uuid() == caller.person();
        if !is_own || caller.credential().kind != CredentialKind::Session {
            return Err(ServiceError::Internal);
        }
        let (session, row) = self
            .new_session(SessionOf {
                organization,
                person,
                role: caller.role(),
                kind: CredentialKind::Session,
                assurance: renewal.assurance,
                scopes: None,
            })
            .await?;
        let expires_at = renewal.expires_at.unwrap_or(row.expires_at);
        let row = self
            .keys
            .authorization(organization)
            .await?
            .authenticate(SessionRow { expires_at, ..row });
        let session = NewSession {
            expires_at,
            ..session
        };
        let (event, source) = (event(row.id, renewal.assurance), caller.origin().source);
        let event = self.trail.seal(organization, source, event).await?;
        let mut transaction = self.database.begin().await?;
        let mut rows = self.renewed_rows(&mut transaction, renewal).await?;
        let ended = self.end_locked(&mut transaction, caller).await?;
        transaction.insert_session(&row).await?;
        rows.extend([written_row(&row), written_row(&ended)]);
        let event = event
            .with_rows(rows)
            .with_changes(vec![Change::session(ended.id)]);
        self.trail.commit_with(transaction, event).await?;
        self.callers.forget(caller.credential());
        Ok(session)
    }

    /// Verifies in a transaction that a renewal is still what it was, and stores the use of its authenticator. Returns the written
    /// rows.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] if the account was changed, or the authenticator used, meanwhile.
    async fn renewed_rows(
        &self,
        transaction: &mut Transaction,
        renewal: &SessionRenewal,
    ) -> Result<Vec<WrittenRow>, ServiceError> {
        let Account {
            organization,
            person,
        } = renewal.account;
        if let Some(pending) = &renewal.pending {
            // As at a sign-in: what the authenticator was verified against must be the newest on record.
            let standing = self.standing(transaction, &pending.person, &pending.credential);
            if standing.await? == Standing::Changed {
                return Err(ServiceError::SignInRequired);
            }
        }
        let person = transaction.lock_person(organization, person).await?;
        let person = person.ok_or(ServiceError::SignInRequired)?;
        let person = self.keys.verify(organization, person).await?;
        if !person.active || person.sessions_since != renewal.sessions_since {
            return Err(ServiceError::SignInRequired);
        }
        let Some(pending) = &renewal.pending else {
            return Ok(Vec::new());
        };
        match self.store_use(transaction, &pending.used).await {
            Err(TrailError::Database(db::Error::Conflict)) => Err(ServiceError::SignInRequired),
            stored => Ok(vec![stored?]),
        }
    }
}
