//! The use of passkeys, to sign in or to step up.
//!
//! A passkey's row has the time of the latest challenge that it signed. One made then or earlier is refused, so that a response is
//! accepted once.

use std::net::IpAddr;

use access::Caller;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::passkey::AssertionResponse;
use phi::passkey::PasskeyError;
use phi::passkey::RequestOptions;
use time::OffsetDateTime;

use super::Identity;
use super::account::Account;
use super::authenticators::Authenticator;
use super::authenticators::UsedAuthenticator;
use super::client::ClientPrefix;
use super::passkey_challenges::NO_ACCOUNT;
use super::passkeys::options;
use super::passkeys::passkeys;
use super::password::CredentialsError;
use super::password::VerifiedCredentials;
use super::throttle::LimiterId;
use crate::services::error::ServiceError;

/// A response whose challenge was made here.
pub(super) struct ChallengedResponse {
    response: AssertionResponse,
    challenge: String,
    challenged_at: OffsetDateTime,
}

impl ChallengedResponse {
    /// The account that the user handle names, if the authenticator has sent one.
    fn account(&self) -> Option<Account> {
        let handle = self.response.user_handle();
        handle.and_then(Account::from_user_handle)
    }

    /// Whether the user handle, if the authenticator has sent one, names this account.
    pub(super) fn is_for(&self, account: Account) -> bool {
        self.response.user_handle().is_none() || self.account() == Some(account)
    }
}

impl Identity {
    /// The options with which a browser responds for a passkey of any account.
    ///
    /// # Errors
    ///
    /// Keys are unavailable.
    pub(crate) async fn passkey_sign_in_options(&self) -> Result<RequestOptions, ServiceError> {
        let challenge = self.challenges.make(NO_ACCOUNT).await?;
        Ok(self.relying_party.request_options(options(&challenge, &[])))
    }

    /// The options with which the caller's browser responds for one of the caller's passkeys.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if the caller has none.
    pub(crate) async fn passkey_step_up_options(
        &self,
        caller: &Caller,
    ) -> Result<RequestOptions, ServiceError> {
        let account = Account::of(caller);
        let authenticators = self.authenticators_of(account.organization, account.person);
        let passkeys = passkeys(&authenticators.await?);
        if passkeys.is_empty() {
            return Err(ServiceError::NotFound);
        }
        let challenge = self.challenges.make(account).await?;
        let options = options(&challenge, &passkeys);
        Ok(self.relying_party.request_options(options))
    }

    /// Verifies the response of a passkey at sign-in, from a client with the address `source`.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::InvalidCredentials`] for whatever is wrong with it; [`CredentialsError::Throttled`] after too many refused
    /// responses from the address.
    pub(crate) async fn verify_passkey(
        &self,
        response: &str,
        source: Option<IpAddr>,
    ) -> Result<VerifiedCredentials, CredentialsError> {
        let refused = |account| CredentialsError::InvalidCredentials { account };
        let client = ClientPrefix::of(source);
        let counter = self.throttle.of_passkeys(client).await?;
        if let Some(wait) = self.throttle.count_one(counter).await? {
            let limiter = LimiterId::of(&counter);
            return Err(CredentialsError::Throttled { limiter, wait });
        }
        // Before any row is read: a challenge is not guessed.
        let response = self.challenged(NO_ACCOUNT, response).await?;
        let response = response.ok_or(refused(None))?;
        let account = response.account().ok_or(refused(None))?;
        let (organization, person) = (account.organization, account.person);
        let Some(row) = self
            .database
            .person(organization, person)
            .await
            .map_err(ServiceError::from)?
        else {
            return Err(refused(None));
        };
        let refused = refused(Some(account));
        let Some(principal) = self.principal(row).await? else {
            return Err(refused);
        };
        let Some(credential) = self.credential_row(organization, person).await? else {
            return Err(refused);
        };
        let used = self.used_passkey(&credential, &response).await?;
        let used = used.ok_or(refused)?;
        self.throttle.uncount_one(counter).await?;
        // The account and the address are known to the limits of passwords, too.
        let attempt = self.throttle.attempt(principal.row.email_token, client);
        self.throttle.on_uncounted_success(attempt.await?).await?;
        self.hashing.remember(client);
        Ok(VerifiedCredentials {
            used: Some(used),
            principal,
            credential,
            rehashed: None,
        })
    }

    /// The response of a passkey to a challenge that was made for this account; none for any other text, with the reason in the log.
    pub(super) async fn challenged(
        &self,
        account: Account,
        response: &str,
    ) -> Result<Option<ChallengedResponse>, ServiceError> {
        let parsed = AssertionResponse::parse(response);
        let parsed = parsed.and_then(|response| Ok((response.challenge()?, response)));
        let reason = match parsed {
            Ok((challenge, response)) => match self.challenges.open(account, &challenge).await? {
                Some(challenged_at) => {
                    return Ok(Some(ChallengedResponse {
                        response,
                        challenge,
                        challenged_at,
                    }));
                }
                None => PasskeyError::Challenge,
            },
            Err(reason) => reason,
        };
        tracing::info!(%reason, "a passkey was refused");
        Ok(None)
    }

    /// Verifies a response against the passkeys of an account. None if it is refused, with the reason in the log.
    pub(super) async fn used_passkey(
        &self,
        credential: &CredentialRow,
        response: &ChallengedResponse,
    ) -> Result<Option<UsedAuthenticator>, ServiceError> {
        let authenticators = self.authenticators_of(credential.organization, credential.person);
        let authenticators = authenticators.await?;
        match self.verified_use(&authenticators, credential, response) {
            Ok(used) => Ok(Some(used)),
            Err(reason) => {
                log_refusal(credential, reason);
                Ok(None)
            }
        }
    }

    fn verified_use(
        &self,
        authenticators: &[Authenticator],
        credential: &CredentialRow,
        ChallengedResponse {
            response,
            challenge,
            challenged_at,
        }: &ChallengedResponse,
    ) -> Result<UsedAuthenticator, PasskeyError> {
        let found = authenticators.iter().find_map(|it| {
            let passkey = it.passkey().filter(|_| it.counts(credential))?;
            (passkey.credential_id() == response.credential_id()).then_some((it, passkey))
        });
        let (authenticator, passkey) = found.ok_or(PasskeyError::Credential)?;
        let row = &authenticator.row;
        if row.challenged_at.is_some_and(|last| *challenged_at <= last) {
            return Err(PasskeyError::Challenge);
        }
        let last_sign_count = row.last_counter.unwrap_or(0);
        let sign_count =
            self.relying_party
                .verify(challenge, &passkey, last_sign_count, response)?;
        Ok(authenticator.used(AuthenticatorRow {
            last_counter: Some(sign_count),
            challenged_at: Some(*challenged_at),
            ..row.clone()
        }))
    }
}

/// Logs why a passkey was refused. A counter that does not increase may be that of a copy, which is an alert.
fn log_refusal(credential: &CredentialRow, reason: PasskeyError) {
    let (organization, person) = (credential.organization, credential.person.uuid());
    if reason == PasskeyError::Counter {
        tracing::warn!(
            security = true,
            %organization,
            %person,
            "a passkey was refused, since there may be a copy of its authenticator",
        );
    } else {
        tracing::info!(%organization, %person, %reason, "a passkey was refused");
    }
}
