//! Passkeys, set up by the person that they authenticate.
//!
//! A passkey names its account by the user handle that the authenticator keeps with it, so that no table leads from passkeys to people.

use access::Disclosed;
use access::Permitted;
use access::Write;
use audit::Assurance;
use db::AuthenticatorRow;
use phi::RecoveryCode;
use phi::passkey::CeremonyOptions;
use phi::passkey::CreationOptions;
use phi::passkey::Passkey;
use phi::passkey::PasskeyError;
use phi::passkey::Registration;
use phi::passkey::RegistrationResponse;
use phi::passkey::UserEntity;

use super::Identity;
use super::account::Account;
use super::account_change::Written;
use super::authenticator_apps::Confirmed;
use super::authenticator_changes::AuthenticatorChangeError;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::passkey_challenges::CHALLENGE_LIFETIME;
use super::session_renewal::SessionRenewal;
use crate::services::error::ServiceError;

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
            self.record_own_refusal(permitted).await?;
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

/// The passkeys among authenticators.
pub(super) fn passkeys(authenticators: &[Authenticator]) -> Vec<Passkey> {
    authenticators
        .iter()
        .filter_map(Authenticator::passkey)
        .collect()
}

/// The options of a ceremony with these passkeys of the account.
pub(super) fn options<'a>(challenge: &'a str, passkeys: &'a [Passkey]) -> CeremonyOptions<'a> {
    let timeout = CHALLENGE_LIFETIME.whole_milliseconds();
    CeremonyOptions {
        challenge,
        timeout_milliseconds: u32::try_from(timeout).unwrap_or(u32::MAX),
        passkeys,
    }
}
