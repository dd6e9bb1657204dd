//! The change of a password by its person. It ends all sessions and tokens of the person.

use access::Permitted;
use access::Write;
use db::CredentialRow;
use db::PersonRow;
use phi::Owner;
use secrecy::SecretString;

use super::Identity;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::client::ClientPrefix;
use super::password::CredentialsError;
use super::password_rules;
use super::password_rules::WeakPassword;
use super::people::own_account;
use super::session_renewal::SessionRenewal;
use crate::services::error::ServiceError;

/// The error of a change of a password.
#[derive(Debug)]
pub(crate) enum PasswordChangeError {
    /// The present password is wrong.
    WrongPassword,
    /// The new password is refused.
    Weak(WeakPassword),
    /// Too many attempts: seconds until the next one is allowed; or another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for PasswordChangeError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl Identity {
    /// Replaces the caller's password. The caller's session ends too: the evidence allows a new one.
    ///
    /// The present password is verified like one of a sign-in, and counts as an attempt: a session that was left open is not
    /// enough to guess it.
    ///
    /// # Errors
    ///
    /// See [`PasswordChangeError`]; [`ServiceError::SecondFactorRequired`] if the caller has a second factor and was
    /// authenticated without it.
    pub(crate) async fn change_password(
        &self,
        permitted: &Permitted<'_, Write>,
        present: SecretString,
        new: SecretString,
    ) -> Result<SessionRenewal, PasswordChangeError> {
        let caller = permitted.caller();
        let credential = self.changeable_credential(permitted).await?;
        let person = self.own_person(caller).await?;
        let is_alone = credential.second_factor_at.is_none();
        password_rules::verify_length(&new, is_alone).map_err(PasswordChangeError::Weak)?;
        let client = ClientPrefix::of(caller.origin().source);
        let context = vec![person.name.expose().clone(), person.email.expose().clone()];
        let judged = self.judge_strength(client, &new, context).await?;
        judged.map_err(PasswordChangeError::Weak)?;
        let email = person.email.expose();
        match self
            .verify_present_password(email, present, client, &credential)
            .await
        {
            Ok(()) => {}
            Err(CredentialsError::InvalidCredentials { .. }) => {
                self.record_own_refusal(permitted).await?;
                return Err(PasswordChangeError::WrongPassword);
            }
            Err(CredentialsError::Throttled { wait, .. }) => {
                return Err(ServiceError::too_many_attempts(wait).into());
            }
            Err(CredentialsError::Service(error)) => return Err(error.into()),
        }
        let account = Account::of(caller);
        let (organization, id) = (account.organization, account.person);
        let hash = self.hash(client, new).await?;
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row = self.person_row(organization, id).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let now = self.clock.now();
        let change = AccountChange {
            person: Some(Written::replacing(PersonRow {
                sessions_since: Some(now),
                ..row
            })),
            credential: Some(Written::replacing(CredentialRow {
                password: scope.seal(credential.row_id, hash.expose())?,
                changed_at: now,
                ..credential.into_inner()
            })),
            ..AccountChange::default()
        };
        let _receipt = self
            .store_change(permitted, own_account(caller).into(), id, change)
            .await?;
        Ok(SessionRenewal {
            account,
            assurance: caller.assurance(),
            sessions_since: Some(now),
            pending: None,
            expires_at: None,
        })
    }
}
