//! Scope keys: sealing and opening of one owner's fields.

use std::fmt;

use phi_types::Column;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::RowId;
use phi_types::Sealed;

use crate::padding;
use crate::plaintext::Plaintext;
use crate::seal::Header;
use crate::seal::Suite;
use crate::secret::SecretKey;
use crate::value::Phi;

/// Maximum length of a value, in bytes: 64 MiB.
const MAX_VALUE_BYTES: usize = 64 << 20;

/// An open scope key, which seals and opens the fields of its owner and of no other.
pub struct ScopeKey {
    organization: OrganizationId,
    owner: Owner,
    header: Header,
    key: SecretKey,
    heads: SecretKey,
}

/// A value was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is longer than 64 MiB.
    #[error("the value is too long to seal")]
    TooLong,
}

/// A sealed value does not open under this key for this column and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOpened;

impl ScopeKey {
    pub(crate) fn new(
        organization: OrganizationId,
        owner: Owner,
        id: KeyId,
        key: SecretKey,
    ) -> Self {
        Self {
            organization,
            owner,
            header: Header {
                suite: suite_of(&owner),
                key: id,
            },
            heads: key.derive(&[b"phi-heads/1"]),
            key,
        }
    }

    /// Seals `value` for column `C` of the row `row`.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLong`] beyond 64 MiB.
    pub fn seal<C>(&self, row: RowId, value: &C::Value) -> Result<Sealed<C>, SealError>
    where
        C: Column<Value: Plaintext>,
    {
        let (kind, value) = value.encoded();
        if value.len() > MAX_VALUE_BYTES {
            return Err(SealError::TooLong);
        }
        let suite = self.header.suite;
        let length = padding::padded_length(value, C::BUCKET);
        let mut bytes = Vec::with_capacity(Header::LENGTH + suite.overhead() + length);
        bytes.extend_from_slice(&self.header.bytes());
        let write = |out: &mut Vec<u8>| padding::pad(kind, value, C::BUCKET, out);
        let aad = self.associated_data(C::ID, row);
        let sealed = suite.seal_into(&self.subkey(C::ID), &aad, length, &mut bytes, write);
        sealed
            .map(|()| Sealed::from_bytes(bytes))
            .ok()
            .ok_or(SealError::TooLong)
    }

    /// Opens a value that was sealed under this key for column `C` of the row `row`.
    pub(crate) fn open<C>(&self, row: RowId, sealed: &Sealed<C>) -> Result<Phi<C::Value>, NotOpened>
    where
        C: Column<Value: Plaintext>,
    {
        self.open_bytes::<C>(row, sealed.as_bytes())
            .ok_or(NotOpened)
    }

    /// Opens a value that a client sends back, such as a cursor; none if it is not one that this key sealed for column `C`
    /// and this row. Unlike a stored value that does not open, that is no tampering.
    #[must_use]
    pub fn open_sent<C>(&self, row: RowId, sealed: &Sealed<C>) -> Option<Phi<C::Value>>
    where
        C: Column<Value: Plaintext>,
    {
        self.open_bytes::<C>(row, sealed.as_bytes())
    }

    fn open_bytes<C>(&self, row: RowId, sealed: &[u8]) -> Option<Phi<C::Value>>
    where
        C: Column<Value: Plaintext>,
    {
        let header = Header::read(sealed).filter(|header| *header == self.header)?;
        let (_, body) = sealed.split_at_checked(Header::LENGTH)?;
        let aad = self.associated_data(C::ID, row);
        let padded = header.suite.open(&self.subkey(C::ID), &aad, body).ok()?;
        let (kind, value) = padding::unpad(padded)?;
        C::Value::decode(kind, value).map(Phi::new)
    }

    /// The MAC over the head of a resource under a subkey of this key: a summand of a [`HeadSet`].
    ///
    /// [`HeadSet`]: crate::HeadSet
    pub(crate) fn head_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.heads.hmac(parts)
    }

    /// A keyed pseudonym of `value`, constant for the lifetime of this key: the first 16 bytes of a MAC. `label`
    /// separates uses.
    #[must_use]
    pub fn pseudonym(&self, label: &str, value: &[u8]) -> [u8; 16] {
        let subkey = self.key.derive(&[b"phi-pseudonym/1", label.as_bytes()]);
        let mac = subkey.hmac(&[self.organization.as_bytes(), value]);
        let mut pseudonym = [0; 16];
        pseudonym.copy_from_slice(mac.split_at(16).0);
        pseudonym
    }

    /// The id of the key, which is in the header of each value that it seals.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.header.key
    }

    /// The organization of the owner.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The owner of the values that the key seals.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    fn subkey(&self, column: u16) -> SecretKey {
        let (suite, id) = ([self.header.suite.code()], column.to_be_bytes());
        self.key.derive(&[b"phi-column/1", &suite, &id])
    }

    /// `"phi-aad/2" | header[18] | organization[16] | owner kind[1] | owner id[16] | column id[2] | row id[16]`.
    fn associated_data(&self, column: u16, row: RowId) -> Vec<u8> {
        [
            &b"phi-aad/2"[..],
            &self.header.bytes(),
            self.organization.as_bytes(),
            &[self.owner.kind().code()],
            &self.owner.id(self.organization),
            &column.to_be_bytes(),
            row.as_bytes(),
        ]
        .concat()
    }
}

/// The suite of an owner's fields: suite 1 for a patient only, because the size of a chart bounds the number of messages
/// under one key.
const fn suite_of(owner: &Owner) -> Suite {
    match owner {
        Owner::Patient(_) => Suite::Gcm,
        Owner::Organization | Owner::AuditYear(_) | Owner::System => Suite::Xaes,
    }
}

impl fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeKey({})", self.header.key)
    }
}

#[cfg(test)]
mod tests;
