//! The set-up of an account: a person sets a password with a set-up code, which a security administrator has made.

use std::net::IpAddr;

use audit::Event;
use db::CredentialRow;
use db::PersonRow;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use secrecy::SecretString;

use super::Identity;
use super::Principal;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticators::UsedAuthenticator;
use super::authenticators::use_set_up_code;
use super::client::ClientPrefix;
use super::password::CredentialsError;
use super::password_rules;
use super::password_rules::WeakPassword;
use crate::limits::sign_in::MAX_EMAIL_BYTES;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::TrailError;

/// What a person sends to set up an account.
#[derive(Debug)]
pub(crate) struct SetUp {
    /// The e-mail address, not normalized.
    pub(crate) email: String,
    /// The set-up code.
    pub(crate) code: SecretString,
    /// The new password.
    pub(crate) password: SecretString,
}

/// The error of the set-up of an account.
#[derive(Debug)]
pub(crate) enum SetUpError {
    /// The new password is refused.
    Weak(WeakPassword),
    /// The account or the code does not exist, or there were too many attempts.
    Refused(CredentialsError),
}

impl From<CredentialsError> for SetUpError {
    fn from(error: CredentialsError) -> Self {
        Self::Refused(error)
    }
}

impl<E: Into<ServiceError>> From<E> for SetUpError {
    fn from(error: E) -> Self {
        Self::Refused(CredentialsError::Service(error.into()))
    }
}

impl Identity {
    /// Sets the password of an account with a set-up code, which is then used up. All sessions of the person end. Attempts are
    /// counted like sign-ins.
    ///
    /// # Errors
    ///
    /// See [`SetUpError`].
    pub(crate) async fn set_up(
        &self,
        SetUp {
            email,
            code,
            password,
        }: SetUp,
        source: Option<IpAddr>,
        event: impl FnOnce(Account) -> Event,
    ) -> Result<(), SetUpError> {
        // Until a second factor is set up, the password is used alone.
        password_rules::verify_length(&password, true).map_err(SetUpError::Weak)?;
        if email.len() > MAX_EMAIL_BYTES {
            return Err(CredentialsError::InvalidCredentials { account: None }.into());
        }
        let client = ClientPrefix::of(source);
        let token = self.indexes.sign_in_token(&email).await?;
        let counted = self.count_attempt(token, client).await?;
        // Before the account is read: the response does not depend on it.
        let judged = self.judge_strength(client, &password, vec![email]).await?;
        judged.map_err(SetUpError::Weak)?;
        let (account, principal) = self.principal_by_token(token).await?;
        let (organization, person) = principal.as_ref().map_or_else(
            || (OrganizationId::SYSTEM, PersonId::random()),
            |principal| (principal.row.organization, principal.row.id),
        );
        let authenticators = self.authenticators_of(organization, person).await?;
        let credential = self.database.credential(organization, person).await?;
        let (Some(principal), Some(credential)) = (principal, credential) else {
            return Err(CredentialsError::InvalidCredentials { account }.into());
        };
        let credential = self
            .keys
            .verify(organization, credential)
            .await?
            .into_inner();
        let now = self.clock.now();
        let Some(used) = use_set_up_code(&authenticators, &credential, &code, now) else {
            return Err(CredentialsError::InvalidCredentials { account }.into());
        };
        let hash = self.hash(client, password).await?;
        let change = self
            .password_set(principal, credential, used, &hash)
            .await?;
        let account = Account {
            organization,
            person,
        };
        let event = self
            .trail
            .seal(organization, source, event(account))
            .await?;
        let event = event
            .with_rows(change.rows())
            .with_changes(vec![Change::person(person)]);
        let mut transaction = self.database.begin().await?;
        match change.write(&mut transaction).await {
            // The code was used meanwhile, or the account was changed.
            Err(TrailError::Database(db::Error::Conflict)) => {
                let account = Some(account);
                return Err(CredentialsError::InvalidCredentials { account }.into());
            }
            written => written?,
        }
        self.trail.commit_with(transaction, event).await?;
        Ok(self.throttle.on_success(counted).await?)
    }

    /// The change that sets a principal's password, with the use of a set-up code.
    async fn password_set(
        &self,
        principal: Principal,
        credential: CredentialRow,
        used: UsedAuthenticator,
        hash: &Phi<String>,
    ) -> Result<AccountChange, ServiceError> {
        let row = principal.row.into_inner();
        let organization = row.organization;
        let now = self.clock.now();
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let credential = CredentialRow {
            password: scope.seal(credential.row_id, hash.expose())?,
            changed_at: now,
            ..credential
        };
        let change = AccountChange {
            person: Some(Written::replacing(PersonRow {
                sessions_since: Some(now),
                ..row
            })),
            credential: Some(Written::replacing(credential)),
            authenticators: vec![Written::replacing(used.row)],
            ..AccountChange::default()
        };
        let key = self.keys.authorization(organization).await?;
        Ok(change.authenticated(&key))
    }
}
