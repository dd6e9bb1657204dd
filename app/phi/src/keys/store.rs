//! Where wrapped keys are stored: a port, whose adapter lives in the database crate.

use std::error::Error;
use std::future::Future;

use super::{Purpose, WrappedKey};
use crate::ids::{KeyId, OrganizationId};
use crate::owner::Owner;

/// The `keys` table.
pub trait KeyStore: Send + Sync + 'static {
    /// The newest version of a key that is active; if none is, the newest that was destroyed, so that
    /// a destroyed owner is not taken for a new one.
    fn active(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> impl Future<Output = Result<Option<WrappedKey>, StoreError>> + Send;

    /// One key, in whatever state.
    fn by_id(
        &self,
        id: KeyId,
    ) -> impl Future<Output = Result<Option<WrappedKey>, StoreError>> + Send;

    /// Stores a new key, durably, unless the same version of the same organization, owner and purpose
    /// is there.
    fn insert(&self, key: &WrappedKey)
    -> impl Future<Output = Result<Inserted, StoreError>> + Send;
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The key is stored.
    Stored,
    /// Somebody else stored that version first; theirs counts.
    AlreadyThere,
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or failed; trying again may help.
    #[error("the key store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A row in it is none that was ever written.
    #[error("the key store holds a row that is no key")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}
