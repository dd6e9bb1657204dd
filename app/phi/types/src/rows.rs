//! The tagged encoding of authenticated rows.
//!
//! `"row/2" | organization[16] | MAC key id[16] | table tag[2] | columns`, where a column is
//! `tag[2] | type[1] | length[4] | bytes`. Columns are in ascending order of their permanent tags. A column without a
//! value is left out, so that a column that is added later changes no stored MAC.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::ids::KeyId;
use crate::ids::OrganizationId;
use crate::tables::Table;

/// The length of a row's MAC, in bytes.
pub const MAC_LENGTH: usize = 32;

/// A stored row that decides access or is of record: it carries a MAC over all its other columns.
pub trait AuthenticatedRow {
    /// The table of the row. Its tag enters the MAC.
    const TABLE: Table;

    /// The organization that the row belongs to.
    fn organization(&self) -> OrganizationId;

    /// The id by which the audit log names the row. An update does not change it.
    fn row_id(&self) -> Uuid;

    /// Appends every column but the MAC and its key id, in ascending order of tags.
    fn encode(&self, columns: &mut ColumnEncoder);

    /// The MAC that the row was stored with.
    fn mac(&self) -> &RowMac;

    /// Replaces the MAC.
    fn set_mac(&mut self, mac: RowMac);
}

/// A row's MAC and the id of the authorization key that it was made with.
#[derive(Clone, Copy)]
pub struct RowMac {
    key: KeyId,
    mac: [u8; MAC_LENGTH],
}

impl RowMac {
    /// The placeholder of a row that was not authenticated yet. It verifies for no row.
    pub const UNSET: Self = Self {
        key: KeyId::from_uuid(Uuid::nil()),
        mac: [0; MAC_LENGTH],
    };

    /// A MAC made with the key `key`.
    #[must_use]
    pub const fn new(key: KeyId, mac: [u8; MAC_LENGTH]) -> Self {
        Self { key, mac }
    }

    /// The id of the key that the MAC was made with.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The MAC's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MAC_LENGTH] {
        &self.mac
    }
}

/// Compares the MAC in constant time.
impl PartialEq for RowMac {
    fn eq(&self, other: &Self) -> bool {
        let same: bool = self.mac.ct_eq(&other.mac).into();
        same && self.key == other.key
    }
}

impl Eq for RowMac {}

impl fmt::Debug for RowMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowMac({})", self.key)
    }
}

/// The type of a column in the encoding. The numbers are permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Bytes as they are.
    Bytes,
    /// UTF-8 text.
    Text,
    /// An unsigned number, 8 bytes.
    Number,
    /// A UUID, 16 bytes.
    Uuid,
    /// Microseconds since 1970-01-01T00:00:00Z, signed, 8 bytes.
    Time,
    /// A truth value, 1 byte.
    Bool,
}

impl ColumnType {
    /// The permanent number of the type.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Bytes => 1,
            Self::Text => 2,
            Self::Number => 3,
            Self::Uuid => 4,
            Self::Time => 5,
            Self::Bool => 6,
        }
    }
}

/// A value that a column can hold.
pub trait ColumnValue {
    /// The type of the column.
    const TYPE: ColumnType;

    /// Appends the value's bytes. `false` if there is no value (SQL NULL).
    fn append_to(&self, out: &mut Vec<u8>) -> bool;
}

/// Appends the columns of a row.
pub struct ColumnEncoder {
    bytes: Vec<u8>,
    with_volatile: bool,
}

impl ColumnEncoder {
    /// A column that enters the MAC and the digest.
    pub fn column<V: ColumnValue>(&mut self, tag: u16, value: &V) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&tag.to_be_bytes());
        self.bytes.push(V::TYPE.code());
        self.bytes.extend_from_slice(&[0; 4]);
        let content = self.bytes.len();
        if !value.append_to(&mut self.bytes) {
            self.bytes.truncate(start);
            return;
        }
        let length = u32::try_from(self.bytes.len() - content).unwrap_or(u32::MAX);
        if let Some(field) = self.bytes.get_mut(content - 4..content) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// A column that enters the MAC and not the digest: the audit log does not record its changes.
    pub fn volatile<V: ColumnValue>(&mut self, tag: u16, value: &V) {
        if self.with_volatile {
            self.column(tag, value);
        }
    }
}

/// The bytes over which the MAC of `row` is taken with the key `key`.
#[must_use]
pub fn authenticated_bytes<R: AuthenticatedRow>(row: &R, key: KeyId) -> Vec<u8> {
    let mut encoder = ColumnEncoder {
        bytes: Vec::with_capacity(512),
        with_volatile: true,
    };
    encoder.bytes.extend_from_slice(b"row/2");
    encoder
        .bytes
        .extend_from_slice(row.organization().as_bytes());
    encoder.bytes.extend_from_slice(key.as_bytes());
    encoder.bytes.extend_from_slice(&R::TABLE.tag.to_be_bytes());
    row.encode(&mut encoder);
    encoder.bytes
}

/// The digest that the audit event of a write lists for the row: SHA-256 over
/// `"digest/2" | organization[16] | table tag[2] | columns`, without the volatile columns.
#[must_use]
pub fn row_digest<R: AuthenticatedRow>(row: &R) -> [u8; 32] {
    let mut encoder = ColumnEncoder {
        bytes: Vec::with_capacity(512),
        with_volatile: false,
    };
    encoder.bytes.extend_from_slice(b"digest/2");
    encoder
        .bytes
        .extend_from_slice(row.organization().as_bytes());
    encoder.bytes.extend_from_slice(&R::TABLE.tag.to_be_bytes());
    row.encode(&mut encoder);
    Sha256::digest(&encoder.bytes).into()
}

mod values;

#[cfg(test)]
mod tests;
