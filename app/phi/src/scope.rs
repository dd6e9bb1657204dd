//! An opened scope key: what seals and opens the fields of one owner.

use std::fmt;

use crate::column::Column;
use crate::ids::{KeyId, OrganizationId, RowId};
use crate::owner::Owner;
use crate::padding;
use crate::plaintext::Plaintext;
use crate::seal::{Header, Suite};
use crate::sealed::Sealed;
use crate::secret::SecretKey;
use crate::value::Phi;

/// The most bytes that one value can have: 64 MiB.
const LONGEST: usize = 64 << 20;

/// The seal key of one owner, opened. It seals and opens that owner's fields, and no other's.
pub struct Scope {
    organization: OrganizationId,
    owner: Owner,
    header: Header,
    key: SecretKey,
}

/// A value was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is longer than 64 MiB.
    #[error("the value is too long to seal")]
    TooLong,
}

/// A value does not open. Why is not said: it was altered, moved to another place, or sealed under
/// another key, and only somebody who tries things would want to know which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value does not open")]
pub struct OpenError(pub(crate) ());

impl Scope {
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
            key,
        }
    }

    /// Seals `value` for one column of one row.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLong`] beyond 64 MiB.
    pub fn seal<T: Plaintext, I>(
        &self,
        column: &Column<T, I>,
        row: RowId,
        value: &T,
    ) -> Result<Sealed<T>, SealError> {
        let (kind, value) = value.encoded();
        if value.len() > LONGEST {
            return Err(SealError::TooLong);
        }
        let (suite, bucket) = (self.header.suite, column.bucket());
        let length = padding::padded_length(value, bucket);
        let mut bytes = Vec::with_capacity(Header::LENGTH + suite.overhead() + length);
        bytes.extend_from_slice(&self.header.bytes());
        let write = |out: &mut Vec<u8>| padding::pad(kind, value, bucket, out);
        let aad = self.associated_data(column, row);
        let sealed = suite.seal_into(&self.subkey(column), &aad, length, &mut bytes, write);
        sealed
            .map(|()| Sealed::from_bytes(bytes))
            .ok()
            .ok_or(SealError::TooLong)
    }

    /// Opens a value that was sealed for this column of this row.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed for another place or under another key, or was altered.
    pub fn open<T: Plaintext, I>(
        &self,
        column: &Column<T, I>,
        row: RowId,
        sealed: &Sealed<T>,
    ) -> Result<Phi<T>, OpenError> {
        self.open_bytes(column, row, sealed.as_bytes())
            .ok_or(OpenError(()))
    }

    fn open_bytes<T: Plaintext, I>(
        &self,
        column: &Column<T, I>,
        row: RowId,
        sealed: &[u8],
    ) -> Option<Phi<T>> {
        let header = Header::read(sealed).filter(|header| *header == self.header)?;
        let (_, body) = sealed.split_at_checked(Header::LENGTH)?;
        let aad = self.associated_data(column, row);
        let padded = header.suite.open(&self.subkey(column), &aad, body).ok()?;
        let (kind, value) = padding::unpad(padded)?;
        T::decode(kind, value).map(Phi::new)
    }

    /// The id of this scope's key, as it stands in the header of what it seals.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.header.key
    }

    /// The organization that the scope belongs to.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The owner of what the scope seals.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    fn subkey<T, I>(&self, column: &Column<T, I>) -> SecretKey {
        let (suite, id) = ([self.header.suite.code()], column.id().to_be_bytes());
        self.key.derive(&[b"phi-column/1", &suite, &id])
    }

    /// `"phi-aad/1" | header | organization | owner | column id | row id`, every part of fixed length.
    fn associated_data<T, I>(&self, column: &Column<T, I>, row: RowId) -> Vec<u8> {
        [
            &b"phi-aad/1"[..],
            &self.header.bytes(),
            self.organization.as_bytes(),
            &self.owner.id(self.organization),
            &column.id().to_be_bytes(),
            row.as_bytes(),
        ]
        .concat()
    }
}

/// Suite 1 only for a patient, whose rows bound the number of messages under a key.
const fn suite_of(owner: &Owner) -> Suite {
    match owner {
        Owner::Patient(_) => Suite::Gcm,
        Owner::Organization | Owner::AuditYear(_) | Owner::System => Suite::Xaes,
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.header.key)
    }
}

#[cfg(test)]
mod tests;
