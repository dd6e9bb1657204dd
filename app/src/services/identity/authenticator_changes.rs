//! What changes of a person's own authenticators share: who may make them, and how they are stored.
//!
//! Once a person has a second factor, only a session with a recent one begins such a change: a session that was left open is not
//! enough to add a device that outlasts it.

use access::AssuranceLevel;
use access::AuditReceipt;
use access::Permitted;
use access::Write;
use access::record_refused_write;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::Owner;
use phi::RowId;
use phi::RowMac;
use phi::Verified;
use time::OffsetDateTime;

use super::Identity;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::people::own_account;
use crate::limits::sign_in::MAX_DEVICES;
use crate::services::error::ServiceError;

/// The error of a change to a person's authenticators.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuthenticatorChangeError {
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

impl<E: Into<ServiceError>> From<E> for AuthenticatorChangeError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl Identity {
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
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let row = self.database.credential(organization, person).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?;
        let level = caller.assurance_level();
        if row.second_factor_at.is_none() || level >= required {
            return Ok(row);
        }
        self.record_own_refusal(permitted).await?;
        Err(if level < AssuranceLevel::MultiFactor {
            ServiceError::SecondFactorRequired
        } else {
            ServiceError::StepUpRequired
        })
    }

    /// The caller's authenticators, if the account may have another app or passkey.
    pub(super) async fn with_room_for_another(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Vec<Authenticator>, AuthenticatorChangeError> {
        let caller = permitted.caller();
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let authenticators = self.authenticators_of(organization, person).await?;
        let count = u32::try_from(devices(&authenticators).count()).unwrap_or(u32::MAX);
        if count >= MAX_DEVICES {
            self.record_own_refusal(permitted).await?;
            return Err(AuthenticatorChangeError::TooMany);
        }
        Ok(authenticators)
    }

    /// Records that a change of the caller's own account was refused.
    pub(super) async fn record_own_refusal(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<(), ServiceError> {
        let record = own_account(permitted.caller()).into();
        Ok(record_refused_write(&self.trail, permitted, &[record]).await?)
    }

    pub(super) async fn store_own_change(
        &self,
        permitted: &Permitted<'_, Write>,
        change: AccountChange,
    ) -> Result<AuditReceipt, ServiceError> {
        let caller = permitted.caller();
        let person = Account::of(caller).person;
        self.store_change(permitted, own_account(caller).into(), person, change)
            .await
    }

    /// The row of a new authenticator, confirmed, without a MAC.
    pub(super) async fn new_authenticator(
        &self,
        Account {
            organization,
            person,
        }: Account,
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

/// The apps and passkeys with which a person signs in.
pub(super) fn devices(authenticators: &[Authenticator]) -> impl Iterator<Item = &Authenticator> {
    let devices = authenticators.iter();
    devices.filter(|it| it.kind.is_device() && it.row.confirmed_at.is_some())
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
