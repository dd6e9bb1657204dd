//! Signing in with an e-mail address and a password.

use std::sync::Arc;
use std::time::Duration;

use phi::{OrganizationId, Owner, Phi, Requested, password};
use secrecy::SecretString;

use super::{Identity, Principal};
use crate::services::error::ServiceError;

/// The reason why a sign-in was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// No such account, a wrong password, or an account that is not active: the response does not distinguish them.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials {
        /// The organization of the account, for the audit trail alone.
        organization: Option<OrganizationId>,
    },
    /// Too many wrong passwords.
    #[error("too many wrong passwords: wait {} seconds", .0.as_secs())]
    Throttled(Duration),
    /// The check could not be completed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Evidence that a password was right.
#[derive(Debug)]
pub(crate) struct CheckedPassword(Principal);

impl CheckedPassword {
    /// The principal whose password it is.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.0
    }
}

impl Identity {
    /// Checks a password.
    ///
    /// # Errors
    ///
    /// See [`SignInError`].
    pub(crate) async fn check_password(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<CheckedPassword, SignInError> {
        let account = self.indexes.sign_in_token(email).await?;
        if let Some(wait) = self.attempts.wait(account, self.clock.now()) {
            return Err(SignInError::Throttled(wait));
        }
        let (organization, principal) = self.principal_by_email(email).await?;
        let stored = match &principal {
            Some(principal) => self.stored_password(principal).await?,
            None => None,
        };
        let right = self.check(stored, password).await;
        if let Some(principal) = principal.filter(|_| right) {
            self.attempts.succeeded(account);
            Ok(CheckedPassword(principal))
        } else {
            self.attempts.failed(account, self.clock.now());
            Err(SignInError::InvalidCredentials { organization })
        }
    }

    async fn stored_password(
        &self,
        principal: &Principal,
    ) -> Result<Option<Phi<String>>, ServiceError> {
        let organization = principal.row.organization;
        let row = self
            .database
            .credential(organization, principal.row.id)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let Some(row) = self.keys.verified(organization, row).await? else {
            return Ok(None);
        };
        let requested = Requested {
            organization,
            owner: Owner::of_organization(organization),
            row: row.row_id,
        };
        Ok(Some(self.keys.open(requested, &row.password).await?))
    }

    /// Verifies a password, in the same time for an account that does not exist.
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
