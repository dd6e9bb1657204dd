//! Passkeys: set up by the person that they authenticate, and used to sign in or to step up.
//!
//! A passkey names its account by the user handle that the authenticator keeps with it, so that no table leads from passkeys to people.
//! Its row has the time of the latest challenge that it signed. One made then or earlier is refused, so that a response is accepted
//! once.

use std::net::IpAddr;

use access::Caller;
use access::Disclosed;
use access::Permitted;
use access::Write;
use access::record_refused_write;
use audit::Assurance;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::RecoveryCode;
use phi::passkey::AssertionResponse;
use phi::passkey::CeremonyOptions;
use phi::passkey::CreationOptions;
use phi::passkey::Passkey;
use phi::passkey::PasskeyError;
use phi::passkey::Registration;
use phi::passkey::RegistrationResponse;
use phi::passkey::RequestOptions;
use phi::passkey::UserEntity;
use time::OffsetDateTime;

use super::Identity;
use super::account::Account;
use super::account_change::Written;
use super::authenticator_apps::Confirmed;
use super::authenticator_changes::AuthenticatorChangeError;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::authenticators::UsedAuthenticator;
use super::client::ClientPrefix;
use super::passkey_challenges::CHALLENGE_LIFETIME;
use super::passkey_challenges::NO_ACCOUNT;
use super::password::CredentialsError;
use super::password::VerifiedCredentials;
use super::people::own_account;
use super::session::SessionRenewal;
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
    /// The options with which the caller's browser makes a passkey. Not recorded: a person's own name is no disclosure to that
    /// person.
    ///
    /// # Errors
    ///
    /// See [`Self::begin_app`].
    pub(crate) async fn passkey_creation_options(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<CreationOptions, AuthenticatorChangeError> {
        let caller = permitted.caller();
        let account = Account::of(caller);
        self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let person = self.own_person(caller).await?;
        let challenge = self.challenges.make(account).await?;
        let user = UserEntity {
            handle: &account.user_handle(),
            name: person.email.expose(),
            display_name: person.name.expose(),
        };
        let passkeys = passkeys(&authenticators);
        let options = options(&challenge, &passkeys);
        Ok(self.relying_party.creation_options(user, options))
    }

    /// Stores the passkey that the caller's browser has made. If it is the account's first device, the password alone is refused
    /// from then on, and recovery codes are made.
    ///
    /// # Errors
    ///
    /// [`AuthenticatorChangeError::InvalidPasskey`]; see also [`Self::begin_app`].
    pub(crate) async fn add_passkey(
        &self,
        permitted: &Permitted<'_, Write>,
        response: &str,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), AuthenticatorChangeError> {
        let caller = permitted.caller();
        let account = Account::of(caller);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let new = self.registered(account, response).await?;
        let is_known = |new: &Passkey| {
            let mut known = passkeys(&authenticators).into_iter();
            known.any(|known| known.credential_id() == new.credential_id())
        };
        let Some(new) = new.filter(|new| !is_known(&new.passkey)) else {
            record_refused_write(&self.trail, permitted, &[own_account(caller).into()]).await?;
            return Err(AuthenticatorChangeError::InvalidPasskey);
        };
        let (kind, secret) = (AuthenticatorKind::Passkey, new.passkey.to_bytes());
        let now = self.clock.now();
        let row = self.new_authenticator(account, kind, &secret, now);
        let confirmed = Confirmed {
            row: Written::new(AuthenticatorRow {
                last_counter: Some(new.sign_count),
                ..row.await?
            }),
            assurance: Assurance::Passkey,
        };
        self.store_confirmed(permitted, credential.into_inner(), confirmed, now)
            .await
    }

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
        let Some(credential) = self.stored_credential(organization, person).await? else {
            return Err(refused);
        };
        let used = self.used_passkey(&credential.row, &response).await?;
        let used = used.ok_or(refused)?;
        self.throttle.uncount_one(counter).await?;
        // The account and the address are known to the limits of passwords, too.
        let attempt = self.throttle.attempt(principal.row.email_token, client);
        self.throttle.on_uncounted_success(attempt.await?).await?;
        self.hashing.remember(client);
        Ok(VerifiedCredentials {
            used: Some(used),
            principal,
            credential: credential.row,
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

    /// Verifies the response of a set-up. None if it is refused, with the reason in the log.
    async fn registered(
        &self,
        account: Account,
        response: &str,
    ) -> Result<Option<Registration>, ServiceError> {
        let parsed = RegistrationResponse::parse(response);
        let parsed = parsed.and_then(|response| Ok((response.challenge()?, response)));
        let registered = match parsed {
            Ok((challenge, response)) => match self.challenges.open(account, &challenge).await? {
                Some(_) => self.relying_party.register(&challenge, &response),
                None => Err(PasskeyError::Challenge),
            },
            Err(reason) => Err(reason),
        };
        if let Err(reason) = registered {
            tracing::info!(%reason, "a new passkey was refused");
        }
        Ok(registered.ok())
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

fn passkeys(authenticators: &[Authenticator]) -> Vec<Passkey> {
    authenticators
        .iter()
        .filter_map(Authenticator::passkey)
        .collect()
}

fn options<'a>(challenge: &'a str, passkeys: &'a [Passkey]) -> CeremonyOptions<'a> {
    let timeout = CHALLENGE_LIFETIME.whole_milliseconds();
    CeremonyOptions {
        challenge,
        timeout_milliseconds: u32::try_from(timeout).unwrap_or(u32::MAX),
        passkeys,
    }
}
