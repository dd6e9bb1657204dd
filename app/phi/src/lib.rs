#![doc = include_str!("../README.md")]

mod authorization;
mod column;
pub mod columns;
mod ids;
mod index;
mod key_service;
mod keyring;
mod keys;
#[cfg(test)]
mod known_answers;
mod normalize;
mod owner;
mod padding;
pub mod password;
mod plaintext;
mod random;
mod rows;
mod scope;
mod seal;
mod sealed;
mod secret;
mod token;
mod value;
mod wrap;

pub use authorization::{AuthorizationKey, Forged, Verified};
pub use column::{ByKeyService, Column, Exact, Unindexed};
pub use ids::{KeyId, OrganizationId, PatientId, RowId};
pub use index::{BlindIndex, IndexKey};
pub use key_service::{
    AwsKms, AwsKmsError, AwsKmsSettings, DevelopmentKeyring, KeyService, KeyringFileError,
};
pub use keyring::{KeyError, Keyring, KeyringSettings};
pub use keys::{
    Inserted, KeyState, KeyStore, MemoryKeys, Purpose, StoreError, WrappedKey, provider,
};
pub use owner::{Owner, OwnerKind};
pub use padding::Bucket;
pub use plaintext::{Plaintext, Present};
pub use random::array as random_bytes;
pub use rows::{AuthenticatedRow, RowEncoder, RowMac, row_digest};
pub use scope::{OpenError, Scope, SealError};
pub use sealed::Sealed;
pub use token::SecretToken;
pub use value::Phi;
