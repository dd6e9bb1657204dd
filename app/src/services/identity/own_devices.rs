//! The authenticator apps, passkeys and recovery codes of the caller's own account.

use access::Caller;
use access::Permitted;
use access::Write;
use db::PersonRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticator_changes::AuthenticatorChangeError;
use super::authenticator_changes::changed_authenticators;
use super::authenticator_changes::devices;
use super::authenticator_changes::ended;
use super::authenticators::AuthenticatorKind;
use super::session_renewal::SessionRenewal;
use crate::services::error::ServiceError;

/// A device with which a person signs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeviceKind {
    /// An authenticator app.
    App,
    /// A passkey.
    Passkey,
}

/// An authenticator app or a passkey of the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnDevice {
    /// Its id.
    pub(crate) id: Uuid,
    /// What it is.
    pub(crate) kind: DeviceKind,
    /// The time at which it was set up.
    pub(crate) created_at: OffsetDateTime,
    /// The time of the last use of a passkey; none for an app, whose uses have no time of their own.
    pub(crate) used_at: Option<OffsetDateTime>,
}

/// What the caller signs in with beside the password, or in place of it.
#[derive(Clone, Debug)]
pub(crate) struct OwnAuthenticators {
    /// The authenticator apps and passkeys, the oldest first.
    pub(crate) devices: Vec<OwnDevice>,
    /// The number of recovery codes that were not used yet.
    pub(crate) recovery_codes: usize,
}

impl Identity {
    /// The caller's authenticators. Not recorded: a person's own are no disclosure to that person.
    pub(crate) async fn own_authenticators(
        &self,
        caller: &Caller,
    ) -> Result<OwnAuthenticators, ServiceError> {
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let authenticators = self.authenticators_of(organization, person).await?;
        let devices = devices(&authenticators).map(|it| OwnDevice {
            id: it.row.id,
            kind: if it.kind == AuthenticatorKind::Passkey {
                DeviceKind::Passkey
            } else {
                DeviceKind::App
            },
            created_at: it.row.created_at,
            used_at: it.row.challenged_at,
        });
        let codes = authenticators.iter();
        let codes = codes.filter(|it| it.kind == AuthenticatorKind::RecoveryCode);
        Ok(OwnAuthenticators {
            devices: devices.collect(),
            recovery_codes: codes.count(),
        })
    }

    /// Removes an app or a passkey of the caller, and ends all sessions: one that was begun with it may be in other hands.
    ///
    /// # Errors
    ///
    /// [`AuthenticatorChangeError::LastDevice`]; [`ServiceError::NotFound`] for one that is not the caller's; see also
    /// [`Self::begin_app`].
    pub(crate) async fn remove_device(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<SessionRenewal, AuthenticatorChangeError> {
        let caller = permitted.caller();
        let account = Account::of(caller);
        let (organization, person) = (account.organization, account.person);
        let credential = self.recently_changeable_credential(permitted).await?;
        let authenticators = self.authenticators_of(organization, person).await?;
        let devices: Vec<_> = devices(&authenticators).collect();
        let found = devices.iter().find(|it| it.row.id == id);
        let found = *found.ok_or(ServiceError::NotFound)?;
        if devices.len() == 1 {
            self.record_own_refusal(permitted).await?;
            return Err(AuthenticatorChangeError::LastDevice);
        }
        let person = self.person_row(organization, person).await?;
        let person = person.ok_or(ServiceError::SignInRequired)?;
        let now = self.clock.now();
        let change = AccountChange {
            person: Some(Written::replacing(PersonRow {
                sessions_since: Some(now),
                ..person
            })),
            credential: Some(changed_authenticators(credential.into_inner())),
            authenticators: ended([found], now),
            ..AccountChange::default()
        };
        let _receipt = self.store_own_change(permitted, change).await?;
        Ok(SessionRenewal {
            account,
            assurance: caller.assurance(),
            sessions_since: Some(now),
            pending: None,
            expires_at: None,
        })
    }
}
