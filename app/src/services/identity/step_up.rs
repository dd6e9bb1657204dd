//! Step-up: a person that is signed in shows a second factor again, and gets a new session in place of the present one.

use access::Caller;
use access::CredentialKind;
use audit::Assurance;
use secrecy::SecretString;

use super::Identity;
use super::authenticators::use_second_factor;
use super::client::ClientPrefix;
use super::enrolment::account;
use super::password::Account;
use super::password::PasswordError;
use super::session::SessionRenewal;
use crate::services::error::ServiceError;

impl Identity {
    /// Verifies a code of the caller's second factor. It counts like one of a sign-in: a session that was left open is not enough
    /// to guess it. The new session ends when the present one would have.
    ///
    /// # Errors
    ///
    /// See [`PasswordError`].
    pub(crate) async fn step_up(
        &self,
        caller: &Caller,
        email: &str,
        code: &SecretString,
    ) -> Result<SessionRenewal, PasswordError> {
        let (organization, person) = account(caller);
        let refused = PasswordError::InvalidCredentials {
            account: Some(Account {
                organization,
                person,
            }),
        };
        if caller.credential().kind != CredentialKind::Session {
            return Err(refused);
        }
        let token = self.indexes.sign_in_token(email).await?;
        let client = ClientPrefix::of(caller.origin().source);
        let counted = self.count_attempt(token, client).await?;
        let session = self.database.session(caller.credential().hash).await;
        let session = session.map_err(ServiceError::from)?;
        let session = session.ok_or(ServiceError::SignInRequired)?;
        let session = self.keys.verify(organization, session).await;
        let session = session.map_err(ServiceError::from)?;
        let Some(credential) = self.stored_credential(organization, person).await? else {
            return Err(refused);
        };
        let row = self.person_row(organization, person).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let authenticators = self.authenticators_of(organization, person).await?;
        let now = self.clock.now();
        let used = use_second_factor(&authenticators, &credential.row, code, now);
        let is_admitted = self.admits(token, used.as_ref()).await?;
        let Some(used) = used.filter(|_| is_admitted) else {
            return Err(refused);
        };
        self.throttle.on_success(counted).await?;
        Ok(SessionRenewal {
            account: (organization, person),
            assurance: Assurance::PasswordAndCode,
            sessions_since: row.sessions_since,
            used: Some(used),
            expires_at: Some(session.expires_at),
        })
    }
}
