//! Blind indexes: exact match without the value.

use std::fmt;

use zeroize::Zeroizing;

use crate::column::{ByKeyService, Column, Exact};
use crate::ids::{KeyId, OrganizationId};
use crate::secret::SecretKey;

/// What is stored beside a sealed value to find it by: 128 bits of a MAC over the normalized value.
///
/// It tells which rows of a column hold the same value. Two values of one index are the same with a
/// probability of 2⁻¹²⁸ for each pair, and matches are compared again after opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlindIndex([u8; 16]);

impl BlindIndex {
    /// A stored index.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(..)")
    }
}

/// An organization's index key, opened.
pub struct IndexKey {
    organization: OrganizationId,
    id: KeyId,
    exact: SecretKey,
    outer: SecretKey,
    inner: SecretKey,
}

impl IndexKey {
    pub(crate) fn new(organization: OrganizationId, id: KeyId, key: &SecretKey) -> Self {
        Self {
            organization,
            id,
            exact: key.derive(&[b"phi-index/1"]),
            outer: key.derive(&[b"phi-index-outer/1"]),
            inner: key.derive(&[b"phi-index-inner/1"]),
        }
    }

    /// The index of a value of this column.
    #[must_use]
    pub fn exact<T>(&self, column: &Column<T, Exact>, value: &str) -> BlindIndex {
        let Exact(normalizer) = *column.index();
        let spelling = normalizer.apply(value);
        self.truncated(
            &self.exact,
            column.id(),
            normalizer.version(),
            spelling.as_bytes(),
        )
    }

    /// What the key service is asked to take its MAC of: a MAC too, so that it never sees a value.
    pub(crate) fn blinded<T>(
        &self,
        column: &Column<T, ByKeyService>,
        value: &str,
    ) -> Zeroizing<[u8; 32]> {
        let ByKeyService(normalizer) = *column.index();
        let (id, version) = (
            column.id().to_be_bytes(),
            normalizer.version().to_be_bytes(),
        );
        let spelling = normalizer.apply(value);
        let parts: [&[u8]; 4] = [
            self.organization.as_bytes(),
            &id,
            &version,
            spelling.as_bytes(),
        ];
        Zeroizing::new(self.inner.hmac(&parts))
    }

    /// The index of a value of this column, of the MAC that the key service took.
    pub(crate) fn unblinded<T>(
        &self,
        column: &Column<T, ByKeyService>,
        service_mac: &[u8; 32],
    ) -> BlindIndex {
        let ByKeyService(normalizer) = *column.index();
        self.truncated(&self.outer, column.id(), normalizer.version(), service_mac)
    }

    /// The key's id.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.id
    }

    /// `truncate₁₂₈(HMAC(key, organization | column id | version | value))`.
    fn truncated(&self, key: &SecretKey, column: u16, version: u16, value: &[u8]) -> BlindIndex {
        let (column, version) = (column.to_be_bytes(), version.to_be_bytes());
        let mac = key.hmac(&[self.organization.as_bytes(), &column, &version, value]);
        let mut index = [0; 16];
        index.copy_from_slice(mac.split_at(16).0);
        BlindIndex(index)
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{DEMOGRAPHICS_MRN, DEMOGRAPHICS_SSN, PEOPLE_EMAIL};

    fn key(organization: OrganizationId) -> IndexKey {
        IndexKey::new(
            organization,
            KeyId::random(),
            &SecretKey::from_array(&[7; 32]),
        )
    }

    #[test]
    fn spellings_of_one_value_have_one_index() {
        let key = key(OrganizationId::random());
        assert_eq!(
            key.exact(&PEOPLE_EMAIL, "a@b.org"),
            key.exact(&PEOPLE_EMAIL, " A@b.ORG")
        );
        assert_ne!(
            key.exact(&PEOPLE_EMAIL, "a@b.org"),
            key.exact(&PEOPLE_EMAIL, "a@c.org")
        );
    }

    #[test]
    fn columns_and_organizations_index_one_value_apart() {
        let (a, b) = (key(OrganizationId::random()), key(OrganizationId::random()));
        assert_ne!(a.exact(&PEOPLE_EMAIL, "1"), a.exact(&DEMOGRAPHICS_MRN, "1"));
        assert_ne!(
            a.exact(&DEMOGRAPHICS_MRN, "1"),
            b.exact(&DEMOGRAPHICS_MRN, "1")
        );
        assert_ne!(
            a.blinded(&DEMOGRAPHICS_SSN, "999-12-3456"),
            b.blinded(&DEMOGRAPHICS_SSN, "999-12-3456")
        );
    }
}
