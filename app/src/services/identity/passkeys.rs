//! Passkeys: set up by the person that they authenticate, and used to sign in or to step up.
//!
//! A passkey names its account by the user handle that the authenticator keeps with it, so that no table leads from passkeys to people.
//! It answers a challenge once: the time of the challenge is stored with the use, and none made before is accepted.

use access::Caller;
use access::Disclosed;
use access::Permitted;
use access::Write;
use access::record_refused_write;
use audit::Assurance;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::OrganizationId;
use phi::PersonId;
use phi::RecoveryCode;
use phi::passkey::AssertionResponse;
use phi::passkey::CreationOptions;
use phi::passkey::Options;
use phi::passkey::Passkey;
use phi::passkey::PasskeyError;
use phi::passkey::RegistrationResponse;
use phi::passkey::RequestOptions;
use phi::passkey::User;
use uuid::Uuid;

use super::Identity;
use super::account_change::Written;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::authenticators::UsedAuthenticator;
use super::enrolment::Confirmed;
use super::enrolment::EnrolmentError;
use super::enrolment::account;
use super::passkey_challenges::LIFETIME;
use super::passkey_challenges::Purpose;
use super::password::Account;
use super::password::PasswordError;
use super::password::VerifiedCredentials;
use super::people::own_account;
use super::session::SessionRenewal;
use crate::services::error::ServiceError;

/// The account of a challenge for a sign-in, which is made before the account is known.
const NO_ACCOUNT: (OrganizationId, PersonId) =
    (OrganizationId::SYSTEM, PersonId::from_uuid(Uuid::nil()));

impl Identity {
    /// The options with which the caller's browser makes a passkey for a server of this name.
    ///
    /// # Errors
    ///
    /// See [`Self::begin_enrolment`].
    pub(crate) async fn passkey_creation_options(
        &self,
        permitted: &Permitted<'_, Write>,
        server: &'static str,
    ) -> Result<CreationOptions, EnrolmentError> {
        let caller = permitted.caller();
        let account = account(caller);
        self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let person = self.own_person(caller).await?;
        let challenge = self.challenges.make(Purpose::SetUp, account).await?;
        let user = User {
            handle: &user_handle(account),
            name: person.email.expose(),
            display_name: person.name.expose(),
        };
        let passkeys = passkeys(&authenticators);
        let options = options(&challenge, &passkeys);
        Ok(self.relying_party.creation_options(server, user, options))
    }

    /// Stores the passkey that the caller's browser has made. With the first second factor of an account, recovery codes are made.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::InvalidPasskey`]; see also [`Self::confirm`].
    pub(crate) async fn add_passkey(
        &self,
        permitted: &Permitted<'_, Write>,
        response: &str,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), EnrolmentError> {
        let caller = permitted.caller();
        let account = account(caller);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let new = self.registered(account, response).await?;
        let is_known = |new: &Passkey| {
            let mut known = passkeys(&authenticators).into_iter();
            known.any(|known| known.credential_id() == new.credential_id())
        };
        let Some((new, count)) = new.filter(|(new, _)| !is_known(new)) else {
            record_refused_write(&self.trail, permitted, &[own_account(caller).into()]).await?;
            return Err(EnrolmentError::InvalidPasskey);
        };
        let (kind, secret) = (AuthenticatorKind::Passkey, new.to_bytes());
        let now = self.clock.now();
        let row = self.new_authenticator(account, kind, &secret, now);
        let confirmed = Confirmed {
            row: Written::new(AuthenticatorRow {
                last_counter: Some(count),
                ..row.await?
            }),
            at: now,
            assurance: Assurance::Passkey,
        };
        self.store_confirmed(permitted, credential.into_inner(), confirmed)
            .await
    }

    /// The options with which a browser answers for a passkey of any account.
    ///
    /// # Errors
    ///
    /// Keys are unavailable.
    pub(crate) async fn passkey_sign_in_options(&self) -> Result<RequestOptions, ServiceError> {
        let challenge = self.challenges.make(Purpose::SignIn, NO_ACCOUNT).await?;
        Ok(self.relying_party.request_options(options(&challenge, &[])))
    }

    /// The options with which the caller's browser answers for one of the caller's passkeys.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if the caller has none.
    pub(crate) async fn passkey_step_up_options(
        &self,
        caller: &Caller,
    ) -> Result<RequestOptions, ServiceError> {
        let account = account(caller);
        let authenticators = self.authenticators_of(account.0, account.1).await?;
        let passkeys = passkeys(&authenticators);
        if passkeys.is_empty() {
            return Err(ServiceError::NotFound);
        }
        let challenge = self.challenges.make(Purpose::StepUp, account).await?;
        let options = options(&challenge, &passkeys);
        Ok(self.relying_party.request_options(options))
    }

    /// Verifies the response of a passkey at sign-in.
    ///
    /// # Errors
    ///
    /// [`PasswordError::InvalidCredentials`] for whatever is wrong with it.
    pub(crate) async fn verify_passkey(
        &self,
        response: &str,
    ) -> Result<VerifiedCredentials, PasswordError> {
        let refused = |account| PasswordError::InvalidCredentials { account };
        let response = parsed(response).ok_or(refused(None))?;
        let account = response.user_handle().and_then(account_of);
        let (organization, person) = account.ok_or(refused(None))?;
        let Some(row) = self.person_row(organization, person).await? else {
            return Err(refused(None));
        };
        let refused = refused(Some(Account {
            organization,
            person,
        }));
        let Some(principal) = self.principal(row).await? else {
            return Err(refused);
        };
        let Some(credential) = self.stored_credential(organization, person).await? else {
            return Err(refused);
        };
        let purpose = (Purpose::SignIn, NO_ACCOUNT);
        let used = self.used_passkey(purpose, &credential.row, &response);
        Ok(VerifiedCredentials {
            second_factor: Some(used.await?.ok_or(refused)?),
            principal,
            credential: credential.row,
            rehashed: None,
        })
    }

    /// The use of one of the caller's passkeys to step up; none for whatever is wrong with the response.
    pub(super) async fn passkey_of_step_up(
        &self,
        caller: &Caller,
        credential: &CredentialRow,
        response: &str,
    ) -> Result<Option<UsedAuthenticator>, ServiceError> {
        let Some(response) = parsed(response) else {
            return Ok(None);
        };
        let purpose = (Purpose::StepUp, account(caller));
        self.used_passkey(purpose, credential, &response).await
    }

    /// The use of the passkey of an account that a response to a challenge is of; none for whatever is wrong with it, which is logged.
    async fn used_passkey(
        &self,
        (purpose, challenged): (Purpose, (OrganizationId, PersonId)),
        credential: &CredentialRow,
        response: &AssertionResponse,
    ) -> Result<Option<UsedAuthenticator>, ServiceError> {
        let (organization, person) = (credential.organization, credential.person);
        let challenge = response.challenge().unwrap_or_default();
        let made_at = self.challenges.open(purpose, challenged, &challenge);
        let Some(made_at) = made_at.await? else {
            log_refusal(credential, PasskeyError::Challenge);
            return Ok(None);
        };
        let authenticators = self.authenticators_of(organization, person).await?;
        let found = authenticators.iter().find_map(|it| {
            let passkey = it.passkey().filter(|_| it.counts(credential))?;
            (passkey.credential_id() == response.credential_id()).then_some((it, passkey))
        });
        let Some((authenticator, passkey)) = found else {
            log_refusal(credential, PasskeyError::Credential);
            return Ok(None);
        };
        let last = authenticator.row.challenged_at;
        if last.is_some_and(|last| made_at <= last) {
            log_refusal(credential, PasskeyError::Challenge);
            return Ok(None);
        }
        let row = &authenticator.row;
        let last = row.last_counter.unwrap_or(0);
        match self
            .relying_party
            .verify(&challenge, &passkey, last, response)
        {
            Ok(count) => Ok(Some(authenticator.used(AuthenticatorRow {
                last_counter: Some(count),
                challenged_at: Some(made_at),
                ..row.clone()
            }))),
            Err(reason) => {
                log_refusal(credential, reason);
                Ok(None)
            }
        }
    }

    /// The passkey of a response to a challenge for this account, with its counter; none for whatever is wrong with it, which is
    /// logged.
    async fn registered(
        &self,
        account: (OrganizationId, PersonId),
        response: &str,
    ) -> Result<Option<(Passkey, u32)>, ServiceError> {
        let registered = match RegistrationResponse::parse(response) {
            Ok(response) => {
                let challenge = response.challenge().unwrap_or_default();
                let made_at = self.challenges.open(Purpose::SetUp, account, &challenge);
                match made_at.await? {
                    Some(_) => self.relying_party.register(&challenge, &response),
                    None => Err(PasskeyError::Challenge),
                }
            }
            Err(error) => Err(error),
        };
        if let Err(reason) = registered {
            tracing::info!(%reason, "a new passkey was refused");
        }
        Ok(registered.ok())
    }
}

/// Logs why a passkey was refused. A counter that goes back may be that of a copy, which is an alert.
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

fn parsed(response: &str) -> Option<AssertionResponse> {
    let parsed = AssertionResponse::parse(response);
    if let Err(reason) = parsed {
        tracing::info!(%reason, "a passkey was refused");
    }
    parsed.ok()
}

fn passkeys(authenticators: &[Authenticator]) -> Vec<Passkey> {
    authenticators
        .iter()
        .filter_map(Authenticator::passkey)
        .collect()
}

fn options<'a>(challenge: &'a str, passkeys: &'a [Passkey]) -> Options<'a> {
    Options {
        challenge,
        timeout: u32::try_from(LIFETIME.whole_milliseconds()).unwrap_or(u32::MAX),
        passkeys,
    }
}

/// The user handle of an account: `organization[16] | person[16]`.
fn user_handle((organization, person): (OrganizationId, PersonId)) -> [u8; 32] {
    let mut handle = [0; 32];
    let (first, second) = handle.split_at_mut(16);
    first.copy_from_slice(organization.uuid().as_bytes());
    second.copy_from_slice(person.uuid().as_bytes());
    handle
}

/// The account that a user handle names.
fn account_of(handle: &[u8]) -> Option<(OrganizationId, PersonId)> {
    let (organization, person) = handle.split_first_chunk::<16>()?;
    let person = <[u8; 16]>::try_from(person).ok()?;
    Some((
        OrganizationId::from_uuid(Uuid::from_bytes(*organization)),
        PersonId::from_uuid(Uuid::from_bytes(person)),
    ))
}
