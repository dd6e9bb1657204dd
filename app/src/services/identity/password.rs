//! Signing in with an e-mail address and a password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::Requested;
use phi::password;
use secrecy::SecretString;

use super::Identity;
use super::Principal;
use super::attempts::LimiterId;
use super::attempts::Uncounted;
use super::client::ClientPrefix;
use super::hashing::HashingPermit;
use super::hashing::QueueFull;
use crate::limits::sign_in::QUEUE_RETRY_AFTER;
use crate::services::error::ServiceError;

/// The account of a person, as the audit trail names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Account {
    /// The organization.
    pub(crate) organization: OrganizationId,
    /// The person.
    pub(crate) person: PersonId,
}

/// The reason why a sign-in was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// No such account, a wrong password, or an account that is not active: the response does not distinguish them.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials {
        /// The account, for the audit trail alone.
        account: Option<Account>,
    },
    /// Too many attempts.
    #[error("too many attempts: wait {} seconds", .wait.as_secs())]
    Throttled {
        /// The limiter of the account and the client.
        limiter: LimiterId,
        /// The time until the next attempt is allowed.
        wait: Duration,
    },
    /// The check could not be completed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<QueueFull> for SignInError {
    fn from(_: QueueFull) -> Self {
        Self::Service(ServiceError::Unavailable(QUEUE_RETRY_AFTER))
    }
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
    /// Checks a password of a client with the address `source`.
    ///
    /// All that costs more than memory is done under a permit of the hashing queue: the number of permits bounds how
    /// much of the database and of the cores a flood of sign-ins can use.
    ///
    /// # Errors
    ///
    /// See [`SignInError`].
    pub(crate) async fn check_password(
        &self,
        email: &str,
        password: SecretString,
        source: Option<IpAddr>,
    ) -> Result<CheckedPassword, SignInError> {
        let client = ClientPrefix::of(source);
        let token = self.indexes.sign_in_token(email).await?;
        let attempt = self.throttle.attempt(token, client).await?;
        let limiter = attempt.limiter();
        if let Some(wait) = self.throttle.remembered_wait(&attempt) {
            return Err(SignInError::Throttled { limiter, wait });
        }
        let permit = self.hashing.acquire(client).await?;
        let counted = self.throttle.count(attempt).await;
        let counted = counted.map_err(|error| match error {
            Uncounted::Throttled(wait) => SignInError::Throttled { limiter, wait },
            Uncounted::Service(error) => error.into(),
        })?;
        let (account, principal) = self.principal_by_token(token).await?;
        let stored = self.stored_password(principal.as_ref()).await?;
        let right = check(permit, stored, password).await;
        let Some(principal) = principal.filter(|_| right) else {
            return Err(SignInError::InvalidCredentials { account });
        };
        self.hashing.remember(client);
        self.throttle.succeeded(counted).await?;
        Ok(CheckedPassword(principal))
    }

    /// The account of an e-mail address, for the audit trail alone.
    pub(crate) async fn account_by_email(
        &self,
        email: &str,
    ) -> Result<Option<Account>, ServiceError> {
        let token = self.indexes.sign_in_token(email).await?;
        Ok(self.principal_by_token(token).await?.0)
    }

    /// The stored password string, read by the same statement for an account that does not exist.
    async fn stored_password(
        &self,
        principal: Option<&Principal>,
    ) -> Result<Option<Phi<String>>, ServiceError> {
        let (organization, person) = principal.map_or_else(
            || (OrganizationId::SYSTEM, PersonId::random()),
            |principal| (principal.row.organization, principal.row.id),
        );
        let row = self.database.credential(organization, person).await?;
        let Some(row) = row.filter(|_| principal.is_some()) else {
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

    /// The string to seal for a new password.
    pub(super) async fn hash(&self, password: Arc<SecretString>) -> anyhow::Result<Phi<String>> {
        let permit = self.hashing.acquire(ClientPrefix::UNKNOWN).await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            password::hash(&password)
        });
        Ok(hashed.await??)
    }
}

/// Verifies a password, in the same time for an account that does not exist.
async fn check(permit: HashingPermit, stored: Option<Phi<String>>, password: SecretString) -> bool {
    let checked = tokio::task::spawn_blocking(move || {
        // Held by the thread, which continues to hash after the client has disconnected.
        let _until_done = permit;
        if let Some(stored) = stored {
            password::verify(&password, stored.expose())
        } else {
            password::verify_without_account(&password);
            false
        }
    });
    checked.await.unwrap_or(false)
}
