//! Verification of passwords, and of codes beside them.

use std::net::IpAddr;
use std::time::Duration;

use db::CredentialRow;
use phi::IndexToken;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::Requested;
use phi::Verified;
use phi::password;
use secrecy::SecretString;

use super::Identity;
use super::Principal;
use super::account::Account;
use super::authenticators::UsedAuthenticator;
use super::authenticators::use_second_factor;
use super::client::ClientPrefix;
use super::hashing::HashingPermit;
use super::hashing::QueueFull;
use super::password_rules;
use super::password_rules::WeakPassword;
use super::throttle::Attempt;
use super::throttle::CountError;
use super::throttle::CountedAttempt;
use super::throttle::LimiterId;
use crate::limits::sign_in::QUEUE_RETRY_AFTER_SECONDS;
use crate::services::error::ServiceError;

/// The error of the verification of credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// An account that does not exist or is not active, a wrong password, or a missing or wrong
    /// code. Responses do not distinguish these.
    #[error("the e-mail address, the password or the code is wrong")]
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

impl From<QueueFull> for CredentialsError {
    fn from(_: QueueFull) -> Self {
        Self::Service(ServiceError::Unavailable(QUEUE_RETRY_AFTER_SECONDS))
    }
}

/// The credentials of a sign-in.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The e-mail address, not normalized.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
    /// A one-time code or recovery code. Required once the person has set up a second factor.
    pub(crate) code: Option<SecretString>,
}

/// Evidence that credentials were verified.
#[derive(Debug)]
pub(crate) struct VerifiedCredentials {
    pub(super) principal: Principal,
    /// The stored credential.
    pub(super) credential: CredentialRow,
    /// The authenticator beside the password, or in place of it.
    pub(super) used: Option<UsedAuthenticator>,
    /// A new hash of the password, if the stored one was made with other parameters than the present ones.
    pub(super) rehashed: Option<Phi<String>>,
}

impl VerifiedCredentials {
    /// The principal with the credentials.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// The stored credential of a person, verified and opened.
struct StoredCredential {
    row: CredentialRow,
    /// The hash of the password, in PHC string format; empty if none is set.
    hash: Phi<String>,
}

impl Identity {
    /// Verifies the credentials that a client with the address `source` has sent.
    ///
    /// # Errors
    ///
    /// See [`CredentialsError`].
    pub(crate) async fn verify_credentials(
        &self,
        credentials: Credentials,
        source: Option<IpAddr>,
    ) -> Result<VerifiedCredentials, CredentialsError> {
        let Credentials {
            email,
            password,
            code,
        } = credentials;
        let client = ClientPrefix::of(source);
        let token = self.indexes.sign_in_token(&email).await?;
        let attempt = self.throttle.attempt(token, client).await?;
        if let Some(wait) = self.throttle.local_wait(&attempt) {
            let limiter = attempt.limiter();
            return Err(CredentialsError::Throttled { limiter, wait });
        }
        // The permit covers the database, too: the number of permits bounds how much of the
        // database and of the cores a flood of sign-ins can use.
        let permit = self.hashing.acquire(client).await?;
        let counted = self.counted(attempt).await?;
        let (account, principal) = self.principal_by_token(token).await?;
        // Both are read and compared whether or not the account exists and the password is right.
        let (organization, person) = principal.as_ref().map_or_else(
            || (OrganizationId::SYSTEM, PersonId::random()),
            |principal| (principal.row.organization, principal.row.id),
        );
        let credential = self.stored_credential(organization, person).await?;
        let authenticators = self.authenticators_of(organization, person).await?;
        let now = self.clock.now();
        let row = credential.as_ref().map(|it| &it.row);
        let second_factor = row
            .zip(code)
            .and_then(|(row, code)| use_second_factor(&authenticators, row, &code, now));
        let requires_code = row.is_some_and(|row| row.second_factor_at.is_some());
        let (row, hash) = credential.map(|it| (it.row, it.hash)).unzip();
        let is_outdated = hash
            .as_ref()
            .is_some_and(|hash| !password::is_current(hash.expose()));
        let (is_right, permit) = verify(permit, hash, password.clone()).await?;
        let is_right =
            is_right && (!requires_code || self.admits(token, second_factor.as_ref()).await?);
        let verified = principal.zip(row).filter(|_| is_right);
        let Some((principal, credential)) = verified else {
            return Err(CredentialsError::InvalidCredentials { account });
        };
        self.hashing.remember(client);
        self.throttle.on_success(counted).await?;
        // Only now: a refusal takes the same time whichever part was wrong.
        let rehashed = if is_outdated {
            let hashed = on_thread(permit, move || password::hash(&password))
                .await?
                .0;
            Some(hashed.map_err(ServiceError::internal)?)
        } else {
            None
        };
        Ok(VerifiedCredentials {
            principal,
            credential,
            used: second_factor,
            rehashed,
        })
    }

    /// The account of an e-mail address, for the audit trail alone.
    pub(crate) async fn account_by_email(
        &self,
        email: &str,
    ) -> Result<Option<Account>, ServiceError> {
        let token = self.indexes.sign_in_token(email).await?;
        Ok(self.principal_by_token(token).await?.0)
    }

    /// The row of a person's credential, whose hash stays sealed; none if it does not verify, which is reported.
    pub(super) async fn credential_row(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Option<CredentialRow>, ServiceError> {
        let Some(row) = self.database.credential(organization, person).await? else {
            return Ok(None);
        };
        let row = self.keys.verify_untampered(organization, row).await?;
        Ok(row.map(Verified::into_inner))
    }

    /// The stored credential of a person; none if it does not verify, which is reported.
    async fn stored_credential(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Option<StoredCredential>, ServiceError> {
        let Some(row) = self.credential_row(organization, person).await? else {
            return Ok(None);
        };
        Ok(Some(StoredCredential {
            hash: self.password_hash(&row).await?,
            row,
        }))
    }

    /// Whether a second factor beside the right password admits to an account: one was accepted, and not too many codes of
    /// apps were wrong before, which does not keep out a recovery code.
    pub(super) async fn admits(
        &self,
        token: IndexToken,
        second_factor: Option<&UsedAuthenticator>,
    ) -> Result<bool, ServiceError> {
        if second_factor.is_some_and(UsedAuthenticator::is_recovery_code) {
            return Ok(true);
        }
        let counted = self.throttle.count_code(token).await?;
        if let (Some(counted), Some(_)) = (counted, second_factor) {
            self.throttle.uncount_one(counted).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Counts an attempt of a client for an account.
    pub(super) async fn count_attempt(
        &self,
        token: IndexToken,
        client: ClientPrefix,
    ) -> Result<CountedAttempt, CredentialsError> {
        let attempt = self.throttle.attempt(token, client).await?;
        self.counted(attempt).await
    }

    async fn counted(&self, attempt: Attempt) -> Result<CountedAttempt, CredentialsError> {
        let limiter = attempt.limiter();
        let counted = self.throttle.count(attempt).await;
        counted.map_err(|error| match error {
            CountError::Throttled(wait) => CredentialsError::Throttled { limiter, wait },
            CountError::Service(error) => error.into(),
        })
    }

    /// Verifies the present password of a person that is signed in. Counts as an attempt to sign in.
    pub(super) async fn verify_present_password(
        &self,
        email: &str,
        password: SecretString,
        client: ClientPrefix,
        credential: &CredentialRow,
    ) -> Result<(), CredentialsError> {
        let token = self.indexes.sign_in_token(email).await?;
        let permit = self.hashing.acquire(client).await?;
        let counted = self.count_attempt(token, client).await?;
        let hash = self.password_hash(credential).await?;
        if !verify(permit, Some(hash), password).await?.0 {
            return Err(CredentialsError::InvalidCredentials { account: None });
        }
        self.throttle.on_success(counted).await?;
        Ok(())
    }

    /// Judges a new password that a client has sent.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if too many clients wait for a turn.
    pub(super) async fn judge_strength(
        &self,
        client: ClientPrefix,
        password: &SecretString,
        context: Vec<String>,
    ) -> Result<Result<(), WeakPassword>, ServiceError> {
        let password = password.clone();
        let judge = move || password_rules::verify_strength(&password, &context);
        self.in_turn(client, judge).await
    }

    /// The hash of a new password that a client has sent, in PHC string format.
    pub(super) async fn hash(
        &self,
        client: ClientPrefix,
        password: SecretString,
    ) -> Result<Phi<String>, ServiceError> {
        let hashed = self.in_turn(client, move || password::hash(&password));
        hashed.await?.map_err(ServiceError::internal)
    }

    /// Runs work that takes a core, on a thread for such work, in a client's turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        client: ClientPrefix,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let permit = self.hashing.acquire(client).await;
        let permit =
            permit.map_err(|_full| ServiceError::Unavailable(QUEUE_RETRY_AFTER_SECONDS))?;
        Ok(on_thread(permit, work).await?.0)
    }

    /// The hash in a verified credential, in PHC string format.
    async fn password_hash(&self, row: &CredentialRow) -> Result<Phi<String>, ServiceError> {
        let requested = Requested {
            organization: row.organization,
            owner: Owner::of_organization(row.organization),
            row: row.row_id,
        };
        Ok(self.keys.open(requested, &row.password).await?)
    }
}

/// Verifies a password. Takes the same time for an account that does not exist, or has no password.
async fn verify(
    permit: HashingPermit,
    hash: Option<Phi<String>>,
    password: SecretString,
) -> Result<(bool, HashingPermit), ServiceError> {
    let verify = move || {
        if let Some(hash) = hash.filter(|hash| !hash.expose().is_empty()) {
            password::verify(&password, hash.expose())
        } else {
            password::verify_without_account(&password);
            false
        }
    };
    on_thread(permit, verify).await
}

/// Runs work that takes a core, on a thread for such work. Returns the permit for further work.
async fn on_thread<T: Send + 'static>(
    permit: HashingPermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, HashingPermit), ServiceError> {
    // The thread holds the permit, since it continues after the client has disconnected.
    let done = tokio::task::spawn_blocking(move || (work(), permit));
    Ok(done.await?)
}
