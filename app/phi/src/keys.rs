//! The rows of the `keys` table: every key below the root, wrapped.

mod memory;
mod store;

use time::OffsetDateTime;

pub use memory::MemoryKeys;
pub use store::{Inserted, KeyStore, StoreError};

use crate::ids::{KeyId, OrganizationId};
use crate::owner::OwnerKind;
use crate::rows::{AuthenticatedRow, RowEncoder, RowMac};

/// What a key is for. Keys of two purposes are never derived from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Wraps an organization's other keys. Wrapped by the key service.
    Branch,
    /// Seals one owner's fields.
    Seal,
    /// Makes blind indexes.
    Index,
    /// Authenticates access rows and hashes tokens.
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

/// Whether a key can still be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// The key is in use.
    Active,
    /// The wrapped key is gone, and with it what it sealed. The row stays, to say so.
    Destroyed,
}

impl KeyState {
    /// The permanent number of this state.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Destroyed => 2,
        }
    }

    /// The state with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Active),
            2 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

/// A row of the `keys` table, as it is stored. Nothing in it is secret, and nothing in it is believed
/// before the key opens and `mac` verifies under the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key's id.
    pub id: KeyId,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// Its owner: [`Owner::id`](crate::Owner::id).
    pub owner: [u8; 16],
    /// The kind of its owner.
    pub owner_kind: OwnerKind,
    /// What it is for.
    pub purpose: Purpose,
    /// Its version among the keys of the same organization, owner and purpose, from 1.
    pub version: u32,
    /// The root key that wraps it, by the key service's name. Only of a branch key.
    pub root: Option<String>,
    /// The branch key that wraps it. Of every key but a branch key.
    pub branch: Option<KeyId>,
    /// That branch key's version.
    pub branch_version: Option<u32>,
    /// Who wrapped it: see [`provider`].
    pub provider: u8,
    /// What wrapping gave; only its provider can read it.
    pub wrapped: Vec<u8>,
    /// What the opened key must agree with.
    pub commitment: [u8; 32],
    /// Whether it can still be opened.
    pub state: KeyState,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// HMAC-SHA256 over all other columns, under a subkey of the key itself.
    pub mac: RowMac,
}

/// Who wrapped a key.
pub mod provider {
    /// This crate, under a branch key.
    pub const BRANCH: u8 = 0;
    /// The development keyring.
    pub const DEVELOPMENT: u8 = 1;
    /// AWS KMS.
    pub const AWS_KMS: u8 = 2;
}

impl AuthenticatedRow for WrappedKey {
    const TABLE: &'static str = "keys";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.id.uuid());
        row.uuid(self.organization.uuid());
        row.bytes(&self.owner);
        row.u64(self.owner_kind.code().into());
        row.u64(self.purpose.code().into());
        row.u64(self.version.into());
        row.optional_text(self.root.as_deref());
        row.optional_uuid(self.branch.map(KeyId::uuid));
        row.optional_u64(self.branch_version.map(Into::into));
        row.u64(self.provider.into());
        row.bytes(&self.wrapped);
        row.bytes(&self.commitment);
        row.u64(self.state.code().into());
        row.time(self.created_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}
