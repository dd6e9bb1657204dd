//! Authorization keys: the MACs of rows that decide access or are of record.

use std::fmt;
use std::ops::Deref;

use phi_types::AuthenticatedRow;
use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::OrganizationId;
use phi_types::RowMac;
use phi_types::authenticated_bytes;
use subtle::ConstantTimeEq;

use crate::secret::SecretKey;

/// An open authorization key of an organization or the system. A writer to the database without the key cannot
/// make a row that verifies.
///
/// Limit: an old row with its old MAC verifies. This crate cannot detect such a replay; a caller that compares the
/// row with the newest digest in the audit log can, except in volatile columns, which enter no digest.
pub struct AuthorizationKey {
    organization: OrganizationId,
    id: KeyId,
    state: KeyState,
    rows: SecretKey,
    messages: SecretKey,
}

impl AuthorizationKey {
    pub(crate) fn new(
        organization: OrganizationId,
        id: KeyId,
        state: KeyState,
        key: &SecretKey,
    ) -> Self {
        Self {
            organization,
            id,
            state,
            rows: key.derive(&[b"phi-row/2"]),
            messages: key.derive(&[b"phi-message/2"]),
        }
    }

    /// Sets the MAC of a row.
    #[must_use]
    pub fn authenticate<R: AuthenticatedRow>(&self, mut row: R) -> R {
        row.set_mac(self.mac_of(&row));
        row
    }

    /// The row with the evidence that it is as this key authenticated it; `None` if it is not, or if the key is
    /// retired.
    pub(crate) fn verify<R: AuthenticatedRow>(&self, row: R) -> Option<Verified<R>> {
        let may_verify = matches!(self.state, KeyState::Current | KeyState::Former);
        (may_verify && self.mac_of(&row) == *row.mac()).then_some(Verified(row))
    }

    fn mac_of<R: AuthenticatedRow>(&self, row: &R) -> RowMac {
        RowMac::new(
            self.id,
            self.rows.hmac(&[&authenticated_bytes(row, self.id)]),
        )
    }

    /// The MAC over a message that is no row. `label` names the kind of message.
    #[must_use]
    pub fn message_mac(&self, label: &str, message: &[u8]) -> [u8; 32] {
        let length = u32::try_from(label.len()).unwrap_or(u32::MAX).to_be_bytes();
        let organization = self.organization.as_bytes();
        self.messages
            .hmac(&[organization, &length, label.as_bytes(), message])
    }

    /// Whether `mac` is the MAC of this message. Runs in constant time.
    #[must_use]
    pub fn verify_message(&self, label: &str, message: &[u8], mac: &[u8; 32]) -> bool {
        self.message_mac(label, message).ct_eq(mac).into()
    }

    /// The key's id.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for AuthorizationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationKey({})", self.id)
    }
}

/// Evidence that a row is as an [`AuthorizationKey`] authenticated it, and the one that was requested.
#[derive(Clone, Debug)]
pub struct Verified<R>(R);

impl<R> Verified<R> {
    /// The row, without the evidence.
    pub fn into_inner(self) -> R {
        self.0
    }
}

impl<R> Deref for Verified<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}

#[cfg(test)]
mod tests;
