//! The rows of the `keys` table: every key below the root, wrapped.

mod store;

use time::OffsetDateTime;
use uuid::Uuid;

pub use store::KeyStore;
pub use store::StoreError;

use crate::ids::KeyId;
use crate::ids::OrganizationId;
use crate::owner::OwnerKind;
use crate::rows::AuthenticatedRow;
use crate::rows::ColumnEncoder;
use crate::rows::ColumnType;
use crate::rows::ColumnValue;
use crate::rows::RowMac;
use crate::tables;
use crate::tables::Table;

/// The purpose of a key. Keys of two purposes are never derived from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Wraps an organization's other keys. Wrapped by the key service.
    Branch,
    /// Seals one owner's fields.
    Seal,
    /// Makes blind index tokens.
    Index,
    /// Authenticates rows.
    Authorization,
}

impl Purpose {
    /// The permanent number of this purpose.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Branch => 1,
            Self::Seal => 2,
            Self::Index => 3,
            Self::Authorization => 4,
        }
    }

    /// The purpose with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Branch),
            2 => Some(Self::Seal),
            3 => Some(Self::Index),
            4 => Some(Self::Authorization),
            _ => None,
        }
    }
}

impl ColumnValue for Purpose {
    const TYPE: ColumnType = ColumnType::Number;

    fn append_to(&self, out: &mut Vec<u8>) -> bool {
        u64::from(self.code()).append_to(out)
    }
}

/// The state of a key, which decides what it may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Seals, opens, authenticates and verifies.
    Current,
    /// Opens and verifies what was written before a rotation; writes nothing new.
    Former,
    /// Neither opens nor verifies: its rotation is complete.
    Retired,
    /// The wrapped key was erased, so that what it sealed cannot be opened. The row remains as the record of that.
    Destroyed,
}

impl KeyState {
    /// The permanent number of this state. The usable states have the lowest numbers.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Current => 1,
            Self::Former => 2,
            Self::Retired => 3,
            Self::Destroyed => 4,
        }
    }

    /// The state with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Current),
            2 => Some(Self::Former),
            3 => Some(Self::Retired),
            4 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

impl ColumnValue for KeyState {
    const TYPE: ColumnType = ColumnType::Number;

    fn append_to(&self, out: &mut Vec<u8>) -> bool {
        u64::from(self.code()).append_to(out)
    }
}

/// A row of the `keys` table. Nothing in it is secret; nothing in it is trusted before the key opens and
/// `mac` verifies under the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key's id.
    pub id: KeyId,
    /// The organization that the key belongs to.
    pub organization: OrganizationId,
    /// The owner's id: [`Owner::id`](crate::Owner::id).
    pub owner: [u8; 16],
    /// The owner's kind.
    pub owner_kind: OwnerKind,
    /// The purpose.
    pub purpose: Purpose,
    /// The version among the keys of the same organization, owner and purpose, from 1.
    pub version: u32,
    /// The root key that wraps a branch key, by the key service's name; absent for all other keys.
    pub root: Option<String>,
    /// The branch key that wraps this key; absent for a branch key.
    pub branch: Option<KeyId>,
    /// That branch key's version.
    pub branch_version: Option<u32>,
    /// The tag of the provider that wrapped the key: see [`provider`].
    pub provider: u8,
    /// The wrapped key, in its provider's format. Empty once the key is destroyed.
    pub wrapped: Vec<u8>,
    /// The commitment to the key, checked at each unwrap.
    pub commitment: [u8; 32],
    /// The state.
    pub state: KeyState,
    /// The time at which the key was made.
    pub created_at: OffsetDateTime,
    /// HMAC-SHA256 over all other columns, under a subkey of the key itself.
    pub mac: RowMac,
}

/// Permanent tags of the providers that wrap keys.
pub mod provider {
    /// The crate `phi`, under a branch key.
    pub const BRANCH: u8 = 0;
    /// The development keyring.
    pub const DEVELOPMENT: u8 = 1;
    /// AWS KMS.
    pub const AWS_KMS: u8 = 2;
}

impl AuthenticatedRow for WrappedKey {
    const TABLE: Table = tables::KEYS;

    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn encode(&self, columns: &mut ColumnEncoder) {
        columns.column(1, &self.id);
        columns.column(2, &self.organization);
        columns.column(3, &self.owner_kind);
        columns.column(4, &self.owner);
        columns.column(5, &self.purpose);
        columns.column(6, &self.version);
        columns.volatile(7, &self.root);
        columns.volatile(8, &self.branch);
        columns.volatile(9, &self.branch_version);
        columns.volatile(10, &self.provider);
        columns.volatile(11, &self.wrapped);
        columns.column(12, &self.commitment);
        columns.column(13, &self.state);
        columns.column(14, &self.created_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }

    fn set_mac(&mut self, mac: RowMac) {
        self.mac = mac;
    }
}
