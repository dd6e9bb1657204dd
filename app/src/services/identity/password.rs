//! Verification of passwords.

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
use super::client::ClientPrefix;
use super::hashing::HashingPermit;
use super::hashing::QueueFull;
use super::throttle::CountError;
use super::throttle::LimiterId;
use crate::limits::sign_in::QUEUE_RETRY_AFTER_SECONDS;
use crate::services::error::ServiceError;

/// The identity of an account, for the audit trail.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Account {
    /// The organization.
    pub(crate) organization: OrganizationId,
    /// The person.
    pub(crate) person: PersonId,
}

/// The error of the verification of a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// An account that does not exist or is not active, or a wrong password. Responses do not
    /// distinguish these.
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
    /// The verification could not be completed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<QueueFull> for PasswordError {
    fn from(_: QueueFull) -> Self {
        Self::Service(ServiceError::Unavailable(QUEUE_RETRY_AFTER_SECONDS))
    }
}

/// Evidence that a password was verified.
#[derive(Debug)]
pub(crate) struct VerifiedPassword(Principal);

impl VerifiedPassword {
    /// The principal with the password.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.0
    }
}

impl Identity {
    /// Verifies a password that a client with the address `source` has sent.
    ///
    /// # Errors
    ///
    /// See [`PasswordError`].
    pub(crate) async fn verify_password(
        &self,
        email: &str,
        password: SecretString,
        source: Option<IpAddr>,
    ) -> Result<VerifiedPassword, PasswordError> {
        let client = ClientPrefix::of(source);
        let token = self.indexes.sign_in_token(email).await?;
        let attempt = self.throttle.attempt(token, client).await?;
        let limiter = attempt.limiter();
        if let Some(wait) = self.throttle.local_wait(&attempt) {
            return Err(PasswordError::Throttled { limiter, wait });
        }
        // The permit covers the database, too: the number of permits bounds how much of the
        // database and of the cores a flood of sign-ins can use.
        let permit = self.hashing.acquire(client).await?;
        let counted = self.throttle.count(attempt).await;
        let counted = counted.map_err(|error| match error {
            CountError::Throttled(wait) => PasswordError::Throttled { limiter, wait },
            CountError::Service(error) => error.into(),
        })?;
        let (account, principal) = self.principal_by_token(token).await?;
        let hash = self.stored_hash(principal.as_ref()).await?;
        let is_right = verify(permit, hash, password).await;
        let Some(principal) = principal.filter(|_| is_right) else {
            return Err(PasswordError::InvalidCredentials { account });
        };
        self.hashing.remember(client);
        self.throttle.on_success(counted).await?;
        Ok(VerifiedPassword(principal))
    }

    /// The account of an e-mail address, for the audit trail alone.
    pub(crate) async fn account_by_email(
        &self,
        email: &str,
    ) -> Result<Option<Account>, ServiceError> {
        let token = self.indexes.sign_in_token(email).await?;
        Ok(self.principal_by_token(token).await?.0)
    }

    /// The stored hash of a password, in PHC string format. The same statement runs for an account
    /// that does not exist, so that its time reveals nothing.
    async fn stored_hash(
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
        let Some(row) = self.keys.verify_untampered(organization, row).await? else {
            return Ok(None);
        };
        let requested = Requested {
            organization,
            owner: Owner::of_organization(organization),
            row: row.row_id,
        };
        Ok(Some(self.keys.open(requested, &row.password).await?))
    }

    /// The hash of a new password.
    pub(super) async fn hash_password(
        &self,
        password: Arc<SecretString>,
    ) -> anyhow::Result<Phi<String>> {
        let permit = self.hashing.acquire(ClientPrefix::UNKNOWN).await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            password::hash(&password)
        });
        Ok(hashed.await??)
    }
}

/// Verifies a password. Takes the same time for an account that does not exist.
async fn verify(permit: HashingPermit, hash: Option<Phi<String>>, password: SecretString) -> bool {
    let verified = tokio::task::spawn_blocking(move || {
        // Held by the thread, which continues to hash after the client has disconnected.
        let _until_done = permit;
        if let Some(hash) = hash {
            password::verify(&password, hash.expose())
        } else {
            password::verify_without_account(&password);
            false
        }
    });
    verified.await.unwrap_or(false)
}
