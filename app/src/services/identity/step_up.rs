//! Step-up: a person that is signed in shows a second factor again, and gets a new session in place of the present one, which ends
//! when the former would have.

use access::Caller;
use access::CredentialKind;
use db::CredentialRow;
use db::SessionRow;
use secrecy::SecretString;

use super::Identity;
use super::account::Account;
use super::authenticators::UsedAuthenticator;
use super::authenticators::use_second_factor;
use super::client::ClientPrefix;
use super::password::CredentialsError;
use super::session_renewal::PendingUse;
use super::session_renewal::SessionRenewal;
use crate::services::error::ServiceError;

impl Identity {
    /// Verifies a code of the caller's second factor. It counts like one of a sign-in: a session that was left open is not enough
    /// to guess it.
    ///
    /// # Errors
    ///
    /// See [`CredentialsError`].
    pub(crate) async fn step_up(
        &self,
        caller: &Caller,
        email: &str,
        code: &SecretString,
    ) -> Result<SessionRenewal, CredentialsError> {
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let session = self.session_to_step_up(caller).await?;
        let token = self.indexes.sign_in_token(email).await?;
        let client = ClientPrefix::of(caller.origin().source);
        let counted = self.count_attempt(token, client).await?;
        let Some(credential) = self.credential_row(organization, person).await? else {
            return Err(refused(caller));
        };
        let authenticators = self.authenticators_of(organization, person).await?;
        let now = self.clock.now();
        let used = use_second_factor(&authenticators, &credential, code, now);
        let is_admitted = self.admits(token, used.as_ref()).await?;
        let Some(used) = used.filter(|_| is_admitted) else {
            return Err(refused(caller));
        };
        self.throttle.on_success(counted).await?;
        Ok(self.renewal(caller, &session, credential, used).await?)
    }

    /// Verifies the response of one of the caller's passkeys. It is not counted: a signature cannot be guessed.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::InvalidCredentials`] for whatever is wrong with it.
    pub(crate) async fn step_up_by_passkey(
        &self,
        caller: &Caller,
        response: &str,
    ) -> Result<SessionRenewal, CredentialsError> {
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let session = self.session_to_step_up(caller).await?;
        let Some(credential) = self.credential_row(organization, person).await? else {
            return Err(refused(caller));
        };
        let response = self.challenged(Account::of(caller), response).await?;
        let response = response.filter(|it| it.is_for(Account::of(caller)));
        let response = response.ok_or_else(|| refused(caller))?;
        let used = self.used_passkey(&credential, &response).await?;
        let used = used.ok_or_else(|| refused(caller))?;
        Ok(self.renewal(caller, &session, credential, used).await?)
    }

    /// The session of the caller, who may also be a program with a token: that one requests a new token.
    async fn session_to_step_up(&self, caller: &Caller) -> Result<SessionRow, CredentialsError> {
        if caller.credential().kind != CredentialKind::Session {
            return Err(refused(caller));
        }
        let session = self.database.session(caller.credential().hash).await;
        let session = session.map_err(ServiceError::from)?;
        let session = session.ok_or(ServiceError::SignInRequired)?;
        let session = self.keys.verify(caller.organization(), session).await;
        Ok(session.map_err(ServiceError::from)?.into_inner())
    }

    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] if the session has ended with all others of the person.
    async fn renewal(
        &self,
        caller: &Caller,
        session: &SessionRow,
        credential: CredentialRow,
        used: UsedAuthenticator,
    ) -> Result<SessionRenewal, ServiceError> {
        let account = Account::of(caller);
        let person = self.person_row(account.organization, account.person);
        let person = person.await?.ok_or(ServiceError::SignInRequired)?;
        let since = person.sessions_since;
        if since.is_some_and(|since| session.authenticated_at < since) {
            return Err(ServiceError::SignInRequired);
        }
        Ok(SessionRenewal {
            account,
            assurance: used.assurance(),
            sessions_since: since,
            pending: Some(PendingUse {
                used,
                person,
                credential,
            }),
            expires_at: Some(session.expires_at),
        })
    }
}

fn refused(caller: &Caller) -> CredentialsError {
    CredentialsError::InvalidCredentials {
        account: Some(Account::of(caller)),
    }
}
