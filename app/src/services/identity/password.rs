//! Signing in with an e-mail address and a password.

use std::sync::Arc;
use std::time::Duration;

use phi::{OrganizationId, Owner, Phi, columns, password};
use secrecy::SecretString;

use super::{Identity, IdentityError, Member};

/// Why a sign-in was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// No such account, a wrong password, or an account that is not active: nobody is told which.
    #[error("the e-mail address or the password is wrong")]
    Wrong {
        /// Whose account it was, for the audit trail alone.
        organization: Option<OrganizationId>,
    },
    /// Too many wrong passwords.
    #[error("too many wrong passwords: wait {} seconds", .0.as_secs())]
    Wait(Duration),
    /// Nobody can be checked just now.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Identity {
    /// Checks a password.
    ///
    /// # Errors
    ///
    /// See [`SignInError`].
    pub(crate) async fn sign_in(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<Member, SignInError> {
        let system = self
            .keys
            .index(OrganizationId::SYSTEM)
            .await
            .map_err(IdentityError::from)?;
        let account = system.exact(&columns::PEOPLE_EMAIL, email);
        if let Some(wait) = self.attempts.wait(account, self.clock.now()) {
            return Err(SignInError::Wait(wait));
        }
        let row = self
            .database
            .person_by_email(account)
            .await
            .map_err(IdentityError::from)?;
        let organization = row.as_ref().map(|row| row.organization);
        let member = match row {
            Some(row) => self.member(row).await?,
            None => None,
        };
        let stored = match &member {
            Some(member) => self.stored_password(member).await?,
            None => None,
        };
        let right = self.check(stored, password).await;
        if let Some(member) = member.filter(|_| right) {
            self.attempts.succeeded(account);
            Ok(member)
        } else {
            self.attempts.failed(account, self.clock.now());
            Err(SignInError::Wrong { organization })
        }
    }

    async fn stored_password(&self, member: &Member) -> Result<Option<Phi<String>>, IdentityError> {
        let organization = member.row.organization;
        let Some(row) = self
            .database
            .credential(organization, member.row.id)
            .await?
        else {
            return Ok(None);
        };
        let row = self.verified(organization, row).await?;
        let scope = self.keys.scope(organization, Owner::Organization).await?;
        Ok(Some(scope.open(
            &columns::CREDENTIALS_PASSWORD,
            row.row_id,
            &row.password,
        )?))
    }

    /// Takes as long for an account that is not there as for one that is.
    async fn check(&self, stored: Option<Phi<String>>, password: SecretString) -> bool {
        let Ok(_turn) = self.hashing.acquire().await else {
            return false;
        };
        let checked = tokio::task::spawn_blocking(move || {
            if let Some(stored) = stored {
                password::verify(&password, stored.expose())
            } else {
                password::verify_without_account(&password);
                false
            }
        });
        checked.await.unwrap_or(false)
    }

    /// The string to seal for a new password.
    pub(super) async fn hash(&self, password: Arc<SecretString>) -> anyhow::Result<Phi<String>> {
        let _turn = self.hashing.acquire().await?;
        Ok(tokio::task::spawn_blocking(move || password::hash(&password)).await??)
    }
}
