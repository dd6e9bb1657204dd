//! The key that vouches for access rows and hashes tokens.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;

use crate::ids::{KeyId, OrganizationId};
use crate::rows::{AuthenticatedRow, RowEncoder, RowMac};
use crate::secret::SecretKey;

/// An organization's authorization key, opened. Whoever can write to the database but does not hold
/// it cannot make a row that says more than the app wrote.
///
/// A limit: an old row with its old MAC verifies. What tells them apart is the audit event that
/// carries the row's digest.
pub struct AuthorizationKey {
    organization: OrganizationId,
    id: KeyId,
    rows: SecretKey,
    tokens: SecretKey,
    messages: SecretKey,
}

impl AuthorizationKey {
    pub(crate) fn new(organization: OrganizationId, id: KeyId, key: &SecretKey) -> Self {
        Self {
            organization,
            id,
            rows: key.derive(&[b"phi-access-row/1"]),
            tokens: key.derive(&[b"phi-token/1"]),
            messages: key.derive(&[b"phi-message/1"]),
        }
    }

    /// The MAC of a row: what is stored beside it.
    #[must_use]
    pub fn authenticate<R: AuthenticatedRow>(&self, row: &R) -> RowMac {
        let encoding = RowEncoder::encoding(row);
        RowMac::from_bytes(self.rows.hmac(&[self.organization.as_bytes(), &encoding]))
    }

    /// Checks the MAC that a row was stored with.
    ///
    /// # Errors
    ///
    /// [`Forged`] if the row is not as this key authenticated it.
    pub fn verify<R: AuthenticatedRow>(&self, row: R) -> Result<Verified<R>, Forged> {
        if self.authenticate(&row) == *row.mac() {
            Ok(Verified(row))
        } else {
            Err(Forged)
        }
    }

    /// What is stored of a token, or of another secret that is only ever looked up: an HMAC, so that
    /// who reads the database learns nothing and who writes to it can plant none. `label` says what
    /// kind of token it is.
    #[must_use]
    pub fn token_hash(&self, label: &str, token: &[u8]) -> [u8; 32] {
        labelled(&self.tokens, self.organization, label, token)
    }

    /// A MAC over a message of any other kind, which `label` names.
    #[must_use]
    pub fn mac(&self, label: &str, message: &[u8]) -> [u8; 32] {
        labelled(&self.messages, self.organization, label, message)
    }

    /// Whether `mac` is the MAC of this message, in constant time.
    #[must_use]
    pub fn verify_mac(&self, label: &str, message: &[u8], mac: &[u8; 32]) -> bool {
        self.mac(label, message).ct_eq(mac).into()
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

/// `HMAC(key, organization | length of label (u64) | label | message)`.
fn labelled(
    key: &SecretKey,
    organization: OrganizationId,
    label: &str,
    message: &[u8],
) -> [u8; 32] {
    let length = u64::try_from(label.len()).unwrap_or(u64::MAX).to_be_bytes();
    key.hmac(&[organization.as_bytes(), &length, label.as_bytes(), message])
}

/// Evidence that a row is as an [`AuthorizationKey`] authenticated it.
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

/// A row is not as the app wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row was not written by the app")]
pub struct Forged;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Person {
        name: &'static str,
        role: &'static str,
        mac: RowMac,
    }

    impl AuthenticatedRow for Person {
        const TABLE: &'static str = "people";

        fn encode(&self, row: &mut RowEncoder) {
            row.text(self.name);
            row.text(self.role);
        }

        fn mac(&self) -> &RowMac {
            &self.mac
        }
    }

    fn key(organization: OrganizationId) -> AuthorizationKey {
        AuthorizationKey::new(
            organization,
            KeyId::random(),
            &SecretKey::from_array(&[7; 32]),
        )
    }

    fn ada(key: &AuthorizationKey) -> Person {
        let mut ada = Person {
            name: "ada",
            role: "clinician",
            mac: RowMac::UNSET,
        };
        ada.mac = key.authenticate(&ada);
        ada
    }

    #[test]
    fn a_row_as_it_was_written_verifies() {
        let key = key(OrganizationId::random());
        assert_eq!(key.verify(ada(&key)).unwrap().role, "clinician");
    }

    #[test]
    fn a_raised_role_does_not_verify() {
        let key = key(OrganizationId::random());
        let raised = Person {
            role: "privacy_officer",
            ..ada(&key)
        };
        assert_eq!(key.verify(raised).unwrap_err(), Forged);
    }

    #[test]
    fn a_row_of_another_organization_does_not_verify_even_under_the_same_key() {
        let row = ada(&key(OrganizationId::random()));
        assert_eq!(
            key(OrganizationId::random()).verify(row).unwrap_err(),
            Forged
        );
    }

    #[test]
    fn a_row_that_was_never_authenticated_does_not_verify() {
        let key = key(OrganizationId::random());
        let row = Person {
            mac: RowMac::UNSET,
            ..ada(&key)
        };
        assert_eq!(key.verify(row).unwrap_err(), Forged);
    }

    #[test]
    fn tokens_of_two_kinds_and_messages_hash_apart() {
        let key = key(OrganizationId::random());
        let hashes = [
            key.token_hash("session", b"x"),
            key.token_hash("bearer", b"x"),
            key.token_hash("bearerx", b""),
            key.mac("session", b"x"),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes.iter().skip(i + 1).all(|b| a != b));
        }
        assert!(key.verify_mac("session", b"x", &hashes[3]));
    }
}
