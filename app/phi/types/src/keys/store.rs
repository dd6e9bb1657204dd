//! The port through which wrapped keys are read. The adapter is in the database crate.

use std::error::Error;
use std::future::Future;

use super::Purpose;
use super::WrappedKey;
use crate::ids::KeyId;
use crate::ids::OrganizationId;
use crate::owner::Owner;

/// The `keys` table, as its readers see it. Keys are inserted in the transaction that inserts their owner.
pub trait KeyStore: Send + Sync + 'static {
    /// The current key of an owner and purpose. If none is current, the newest in any other state, so that a
    /// destroyed owner is not taken for a new one.
    fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> impl Future<Output = Result<Option<WrappedKey>, StoreError>> + Send;

    /// Those of the keys `ids` of an organization that exist, in any state and in no particular order.
    fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> impl Future<Output = Result<Vec<WrappedKey>, StoreError>> + Send;
}

/// A failure of the key store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or failed; a retry may help.
    #[error("the key store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A row of the store is not a key, or not the one that was requested.
    #[error("the key store returned a row that is not a requested key")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}
