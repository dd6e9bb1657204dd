//! Setting up of authenticators by the person that they authenticate.
//!
//! A new authenticator app is stored unconfirmed, and is not accepted at sign-in until one of its codes was verified. With the first
//! app or passkey the password alone is refused, and recovery codes are made. From then on only a person with a recent second factor
//! changes the person's authenticators: a session that was left open is not enough to add one that outlasts it.

use access::AssuranceLevel;
use access::AuditReceipt;
use access::Caller;
use access::Disclosed;
use access::Permitted;
use access::Write;
use access::record_refused_write;
use audit::Assurance;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::RecoveryCode;
use phi::RowId;
use phi::RowMac;
use phi::TotpKey;
use phi::Verified;
use secrecy::SecretString;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::authenticators::UsedAuthenticator;
use super::people::own_account;
use super::session::SessionRenewal;
use crate::limits::sign_in::RECOVERY_CODES;
use crate::services::error::ServiceError;

/// The error of a change to a person's authenticators.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EnrolmentError {
    /// The code is not one of the authenticator, or was used before.
    WrongCode,
    /// The browser's response is not that of a new passkey of this account.
    InvalidPasskey,
    /// The person has as many authenticator apps and passkeys as are allowed.
    TooMany,
    /// It is the only app or passkey of an account, which would be left with recovery codes.
    LastDevice,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for EnrolmentError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

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

/// An authenticator that its person has shown.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// The row, new or confirmed now.
    pub(super) row: Written<AuthenticatorRow>,
    /// The time in the row from which it is accepted.
    pub(super) at: OffsetDateTime,
    /// The method by which the person is authenticated now.
    pub(super) assurance: Assurance,
}

impl Identity {
    /// Stores a new authenticator app, unconfirmed. Replaces one that was not confirmed.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::TooMany`]; [`ServiceError::SecondFactorRequired`] or [`ServiceError::StepUpRequired`] if the caller has a
    /// second factor, and was authenticated without it or long ago.
    pub(crate) async fn begin_enrolment(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Disclosed<NewAuthenticator>, EnrolmentError> {
        let caller = permitted.caller();
        let (organization, person) = account(caller);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.with_room_for_another(permitted).await?;
        let unconfirmed = authenticators
            .iter()
            .filter(|it| it.row.confirmed_at.is_none());
        let email = self.own_person(caller).await?.email;
        let now = self.clock.now();
        let (key, kind) = (TotpKey::random(), AuthenticatorKind::Totp);
        let new = self.new_authenticator((organization, person), kind, key.as_bytes(), now);
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
    /// [`ServiceError::NotFound`] if there is none with this id.
    pub(crate) async fn unconfirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<NewAuthenticator, EnrolmentError> {
        let caller = permitted.caller();
        self.changeable_credential(permitted).await?;
        let found = self.find_unconfirmed(permitted, id).await?;
        let key = found.totp_key().ok_or(ServiceError::Internal)?;
        let email = self.own_person(caller).await?.email;
        Ok(NewAuthenticator { id, key, email })
    }

    /// Confirms an authenticator app by a code of it. With the first one, the account requires a code from now on, and
    /// recovery codes are made.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::WrongCode`]; [`ServiceError::NotFound`] for an authenticator that is not the caller's, or not
    /// unconfirmed; see also [`Self::begin_enrolment`].
    pub(crate) async fn confirm(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
        code: &SecretString,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), EnrolmentError> {
        let credential = self.changeable_credential(permitted).await?;
        let found = self.find_unconfirmed(permitted, id).await?;
        let now = self.clock.now();
        let Some(UsedAuthenticator { row, .. }) = found.use_code(code, now) else {
            record_refused_write(
                &self.trail,
                permitted,
                &[own_account(permitted.caller()).into()],
            )
            .await?;
            return Err(EnrolmentError::WrongCode);
        };
        let confirmed = Confirmed {
            row: Written::replacing(AuthenticatorRow {
                confirmed_at: Some(now),
                ..row
            }),
            at: now,
            assurance: Assurance::PasswordAndCode,
        };
        self.store_confirmed(permitted, credential.into_inner(), confirmed)
            .await
    }

    /// Stores an authenticator that its person has shown. With the first one, the account requires a second factor from then on,
    /// and recovery codes are made.
    pub(super) async fn store_confirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        mut credential: CredentialRow,
        confirmed: Confirmed,
    ) -> Result<(SessionRenewal, Disclosed<Vec<RecoveryCode>>), EnrolmentError> {
        let (account, now) = (account(permitted.caller()), confirmed.at);
        let mut change = AccountChange {
            authenticators: vec![confirmed.row],
            ..AccountChange::default()
        };
        let person = self.person_row(account.0, account.1).await?;
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
            used: None,
            expires_at: None,
        };
        Ok((renewal, receipt.disclose(recovery_codes)))
    }

    /// Replaces the caller's recovery codes.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SecondFactorRequired`] unless the caller has a second factor; see also [`Self::begin_enrolment`].
    pub(crate) async fn renew_recovery_codes(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Disclosed<Vec<RecoveryCode>>, EnrolmentError> {
        let account = account(permitted.caller());
        let credential = self.recently_changeable_credential(permitted).await?;
        // Codes of an account that requires none would be a second factor that was never confirmed.
        if credential.second_factor_at.is_none() {
            return Err(ServiceError::SecondFactorRequired.into());
        }
        let now = self.clock.now();
        let authenticators = self.authenticators_of(account.0, account.1).await?;
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

    /// The caller's credential, if the caller may change its authenticators.
    pub(super) async fn changeable_credential(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Verified<CredentialRow>, ServiceError> {
        self.credential_for_change(permitted, AssuranceLevel::MultiFactor)
            .await
    }

    /// The caller's credential, if the caller may begin a change of its authenticators.
    pub(super) async fn recently_changeable_credential(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Verified<CredentialRow>, ServiceError> {
        self.credential_for_change(permitted, AssuranceLevel::RecentMultiFactor)
            .await
    }

    async fn credential_for_change(
        &self,
        permitted: &Permitted<'_, Write>,
        required: AssuranceLevel,
    ) -> Result<Verified<CredentialRow>, ServiceError> {
        let caller = permitted.caller();
        let (organization, person) = account(caller);
        let row = self.database.credential(organization, person).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?;
        let level = caller.assurance_level();
        if row.second_factor_at.is_none() || level >= required {
            return Ok(row);
        }
        record_refused_write(&self.trail, permitted, &[own_account(caller).into()]).await?;
        Err(if level < AssuranceLevel::MultiFactor {
            ServiceError::SecondFactorRequired
        } else {
            ServiceError::StepUpRequired
        })
    }

    async fn find_unconfirmed(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<Authenticator, EnrolmentError> {
        let (organization, person) = account(permitted.caller());
        let authenticators = self.authenticators_of(organization, person).await?;
        let mut authenticators = authenticators.into_iter();
        let found = authenticators.find(|it| it.row.id == id && it.row.confirmed_at.is_none());
        Ok(found.ok_or(ServiceError::NotFound)?)
    }

    /// Adds the rows of new recovery codes to a change.
    async fn new_recovery_codes(
        &self,
        account: (OrganizationId, PersonId),
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

    pub(super) async fn store_own_change(
        &self,
        permitted: &Permitted<'_, Write>,
        change: AccountChange,
    ) -> Result<AuditReceipt, ServiceError> {
        let caller = permitted.caller();
        let (_, person) = account(caller);
        self.store_change(permitted, own_account(caller).into(), person, change)
            .await
    }

    /// The row of a new authenticator, confirmed, without a MAC.
    pub(super) async fn new_authenticator(
        &self,
        (organization, person): (OrganizationId, PersonId),
        kind: AuthenticatorKind,
        secret: &[u8],
        now: OffsetDateTime,
    ) -> Result<AuthenticatorRow, ServiceError> {
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row_id = RowId::random();
        Ok(AuthenticatorRow {
            organization,
            id: RowId::random().uuid(),
            row_id,
            person,
            kind: kind.name().to_owned(),
            secret: scope.seal(row_id, &secret.to_vec())?,
            created_at: now,
            confirmed_at: Some(now),
            last_counter: None,
            ended_at: None,
            challenged_at: None,
            mac: RowMac::UNSET,
        })
    }
}

pub(super) fn account(caller: &Caller) -> (OrganizationId, PersonId) {
    (caller.organization(), PersonId::from_uuid(caller.person()))
}

/// A credential after a change of authenticators. It is part of every such change, so that of two at once one fails.
pub(super) fn changed_authenticators(credential: CredentialRow) -> Written<CredentialRow> {
    let changes = credential.authenticator_changes.unwrap_or(0);
    Written::replacing(CredentialRow {
        authenticator_changes: Some(changes.wrapping_add(1)),
        ..credential
    })
}

/// Authenticators that end now.
pub(super) fn ended<'a>(
    authenticators: impl IntoIterator<Item = &'a Authenticator>,
    now: OffsetDateTime,
) -> Vec<Written<AuthenticatorRow>> {
    let end = |it: &Authenticator| {
        Written::replacing(AuthenticatorRow {
            ended_at: Some(now),
            ..it.row.clone()
        })
    };
    authenticators.into_iter().map(end).collect()
}
