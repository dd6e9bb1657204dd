//! The authenticator apps and passkeys of the caller's own account.

use access::Caller;
use access::Permitted;
use access::Write;
use access::record_refused_write;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account_change::AccountChange;
use super::authenticators::Authenticator;
use super::authenticators::AuthenticatorKind;
use super::enrolment::EnrolmentError;
use super::enrolment::account;
use super::enrolment::changed_authenticators;
use super::enrolment::ended;
use super::people::own_account;
use crate::limits::sign_in::MAX_DEVICES;
use crate::services::error::ServiceError;

/// An authenticator app or a passkey.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnDevice {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whether it is a passkey, not an app.
    pub(crate) is_passkey: bool,
    /// The time at which it was set up.
    pub(crate) created_at: OffsetDateTime,
}

impl Identity {
    /// The caller's authenticator apps and passkeys, the oldest first. Not recorded: a person's own are no disclosure to that
    /// person.
    pub(crate) async fn own_devices(
        &self,
        caller: &Caller,
    ) -> Result<Vec<OwnDevice>, ServiceError> {
        let (organization, person) = account(caller);
        let authenticators = self.authenticators_of(organization, person).await?;
        let devices = devices(&authenticators).map(|it| OwnDevice {
            id: it.row.id,
            is_passkey: it.kind == AuthenticatorKind::Passkey,
            created_at: it.row.created_at,
        });
        Ok(devices.collect())
    }

    /// Removes an app or a passkey of the caller.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::LastDevice`]; [`ServiceError::NotFound`] for one that is not the caller's; see also
    /// [`Self::begin_enrolment`].
    pub(crate) async fn remove_device(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<(), EnrolmentError> {
        let caller = permitted.caller();
        let (organization, person) = account(caller);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.authenticators_of(organization, person).await?;
        let devices: Vec<_> = devices(&authenticators).collect();
        let found = devices.iter().find(|it| it.row.id == id);
        let found = *found.ok_or(ServiceError::NotFound)?;
        if devices.len() == 1 {
            record_refused_write(&self.trail, permitted, &[own_account(caller).into()]).await?;
            return Err(EnrolmentError::LastDevice);
        }
        let change = AccountChange {
            credential: Some(changed_authenticators(credential.into_inner())),
            authenticators: ended([found], self.clock.now()),
            ..AccountChange::default()
        };
        let _receipt = self.store_own_change(permitted, change).await?;
        Ok(())
    }

    /// The caller's authenticators, if the account may have another app or passkey.
    pub(super) async fn with_room_for_another(
        &self,
        permitted: &Permitted<'_, Write>,
    ) -> Result<Vec<Authenticator>, EnrolmentError> {
        let caller = permitted.caller();
        let (organization, person) = account(caller);
        let authenticators = self.authenticators_of(organization, person).await?;
        let count = u32::try_from(devices(&authenticators).count()).unwrap_or(u32::MAX);
        if count >= MAX_DEVICES {
            record_refused_write(&self.trail, permitted, &[own_account(caller).into()]).await?;
            return Err(EnrolmentError::TooMany);
        }
        Ok(authenticators)
    }
}

/// The apps and passkeys with which a person signs in.
fn devices(authenticators: &[Authenticator]) -> impl Iterator<Item = &Authenticator> {
    let devices = authenticators.iter();
    devices.filter(|it| it.kind.is_device() && it.row.confirmed_at.is_some())
}
