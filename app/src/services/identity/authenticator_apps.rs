//! Authenticator apps and recovery codes, set up by the person that they authenticate.
//!
//! A new app is stored unconfirmed, and is not accepted at sign-in until one of its codes was verified. With the account's first device,
//! an app or a passkey, the password alone is refused from then on, and recovery codes are made.

use access::Disclosed;
use access::Permitted;
use access::Write;
use audit::Assurance;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::Phi;
use phi::RecoveryCode;
use phi::TotpKey;
use secrecy::SecretString;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticator_changes::AuthenticatorChangeError;
use super::authenticator_changes::changed_authenticators;
use super::authenticator_changes::ended;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::authenticators::UsedAuthenticator;
use super::session_renewal::SessionRenewal;
use crate::limits::sign_in::RECOVERY_CODES;
use crate::limits::sign_in::UNCONFIRMED_LIFETIME;
use crate::services::error::ServiceError;

/// An authenticator app that is not confirmed yet.
#[derive(Debug)]
pub(crate) struct NewAuthenticator {
    /// Its id.
    pub(crate) id: Uuid,
    /// The key, which is shown to its person until it is confirmed.
    pub(crate) key: TotpKey,
    /// The e-mail address, by which an app names the account.
    pub(crate) email: Phi<String>,
}

/// A new authenticator, of which the caller has proved possession.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// The row, with the time from which it is accepted.
    pub(super) row: Written<AuthenticatorRow>,
    /// The method by which the person is authenticated now.
    pub(super) assurance: Assurance,
}

impl Identity {
    /// Stores a new authenticator app, unconfirmed. Replaces one that was not confirmed.
    ///
    /// # Errors
    ///
    /// [`AuthenticatorChangeError::TooMany`]; [`ServiceError::SecondFactorRequired`] or [`ServiceError::StepUpRequired`] if the caller has a
    /// second factor, and was authenticated without it or long ago.
    pub(crate) async fn begin_app(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Disclosed<NewAuthenticator>, AuthenticatorChangeError> {
        let caller = permitted.caller();
        let account = Account::of(caller);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let unconfirmed = authenticators
            .iter()
            .filter(|it| it.row.confirmed_at.is_none());
        let email = self.own_person(caller).await?.email;
        let now = self.clock.now();
        let (key, kind) = (TotpKey::random(), AuthenticatorKind::Totp);
        let new = self.new_authenticator(account, kind, key.as_bytes(), now);
        let new = AuthenticatorRow {
            confirmed_at: None,
            ..new.await?
        };
        let id = new.id;
        let mut change = AccountChange {
            credential: Some(changed_authenticators(credential.into_inner())),
            authenticators: ended(unconfirmed, now),
            ..AccountChange::default()
        };
        change.authenticators.push(Written::new(new));
        let receipt = self.store_own_change(permitted, change).await?;
        Ok(receipt.disclose(NewAuthenticator { id, key, email }))
    }

    /// The caller's authenticator app that is not confirmed yet, to show its key again.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is none with this id, or if it has expired.
    pub(crate) async fn unconfirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<NewAuthenticator, AuthenticatorChangeError> {
        let caller = permitted.caller();
        self.changeable_credential(permitted).await?;
        let found = self.find_unconfirmed(permitted, id).await?;
        let key = found.totp_key().ok_or(ServiceError::Internal)?;
        let email = self.own_person(caller).await?.email;
        Ok(NewAuthenticator { id, key, email })
    }

    /// Confirms an authenticator app by a code of it. If it is the account's first device, the password alone is refused from then
    /// on, and recovery codes are made.
    ///
    /// # Errors
    ///
    /// [`AuthenticatorChangeError::WrongCode`]; [`ServiceError::NotFound`] for an authenticator that is not the caller's, or not
    /// unconfirmed; see also [`Self::begin_app`].
    pub(crate) async fn confirm(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
        code: &SecretString,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), AuthenticatorChangeError> {
        let credential = self.changeable_credential(permitted).await?;
        let found = self.find_unconfirmed(permitted, id).await?;
        let now = self.clock.now();
        let Some(UsedAuthenticator { row, .. }) = found.use_code(code, now) else {
            self.record_own_refusal(permitted).await?;
            return Err(AuthenticatorChangeError::WrongCode);
        };
        let confirmed = Confirmed {
            row: Written::replacing(AuthenticatorRow {
                confirmed_at: Some(now),
                ..row
            }),
            assurance: Assurance::PasswordAndCode,
        };
        self.store_confirmed(permitted, credential.into_inner(), confirmed, now)
            .await
    }

    /// Stores a new authenticator, of which the caller has proved possession at `now`.
    pub(super) async fn store_confirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        mut credential: CredentialRow,
        confirmed: Confirmed,
        now: OffsetDateTime,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), AuthenticatorChangeError> {
        let account = Account::of(permitted.caller());
        let mut change = AccountChange {
            authenticators: vec![confirmed.row],
            ..AccountChange::default()
        };
        let person = self
            .person_row(account.organization, account.person)
            .await?;
        let mut person = person.ok_or(ServiceError::SignInRequired)?;
        let mut recovery_codes = Vec::new();
        if credential.second_factor_at.is_none() {
            credential.second_factor_at = Some(now);
            credential.recovery_codes_at = Some(now);
            recovery_codes = self.new_recovery_codes(account, now, &mut change).await?;
            // Sessions of the password alone end.
            person.sessions_since = Some(now);
        }
        let sessions_since = person.sessions_since;
        change.person = Some(Written::replacing(person));
        change.credential = Some(changed_authenticators(credential));
        let receipt = self.store_own_change(permitted, change).await?;
        let renewal = SessionRenewal {
            account,
            assurance: confirmed.assurance,
            sessions_since,
            pending: None,
            expires_at: None,
        };
        Ok((renewal, receipt.disclose(recovery_codes)))
    }

    /// Replaces the caller's recovery codes.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SecondFactorRequired`] unless the caller has a second factor; see also [`Self::begin_app`].
    pub(crate) async fn renew_recovery_codes(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Disclosed<Vec<RecoveryCode>>, AuthenticatorChangeError> {
        let account = Account::of(permitted.caller());
        let credential = self.recently_changeable_credential(permitted).await?;
        // Codes of an account that requires none would be a second factor that was never confirmed.
        if credential.second_factor_at.is_none() {
            return Err(ServiceError::SecondFactorRequired.into());
        }
        let now = self.clock.now();
        let authenticators = self
            .authenticators_of(account.organization, account.person)
            .await?;
        let former = authenticators.iter();
        let former = former.filter(|it| it.kind == AuthenticatorKind::RecoveryCode);
        let mut change = AccountChange {
            credential: Some(changed_authenticators(CredentialRow {
                recovery_codes_at: Some(now),
                ..credential.into_inner()
            })),
            authenticators: ended(former, now),
            ..AccountChange::default()
        };
        let codes = self.new_recovery_codes(account, now, &mut change).await?;
        let receipt = self.store_own_change(permitted, change).await?;
        Ok(receipt.disclose(codes))
    }

    async fn find_unconfirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<Authenticator, AuthenticatorChangeError> {
        let oldest = self.clock.now() - UNCONFIRMED_LIFETIME;
        let is_unconfirmed = |row: &AuthenticatorRow| {
            row.id == id && row.confirmed_at.is_none() && row.created_at > oldest
        };
        let authenticators = self.with_room_for_another(permitted).await?;
        let mut authenticators = authenticators.into_iter();
        let found = authenticators.find(|it| is_unconfirmed(&it.row));
        Ok(found.ok_or(ServiceError::NotFound)?)
    }

    /// Adds the rows of new recovery codes to a change.
    async fn new_recovery_codes(
        &self,
        account: Account,
        now: OffsetDateTime,
        change: &mut AccountChange,
    ) -> Result<Vec<RecoveryCode>, ServiceError> {
        let mut codes = Vec::new();
        for _ in 0..RECOVERY_CODES {
            let code = RecoveryCode::random();
            let (kind, hash) = (AuthenticatorKind::RecoveryCode, code.hash());
            let row = self.new_authenticator(account, kind, &hash, now);
            change.authenticators.push(Written::new(row.await?));
            codes.push(code);
        }
        Ok(codes)
    }
}
