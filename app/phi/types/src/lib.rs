#![doc = include_str!("../README.md")]

mod change;
pub mod columns;
mod ids;
mod index;
mod keys;
mod owner;
mod random;
mod rows;
mod sealed;
pub mod tables;

pub use change::ChangeKind;
pub use columns::{Bucket, Column};
pub use ids::{KeyId, OrganizationId, PatientId, PersonId, RowId, SessionId};
pub use index::{IndexParameter, IndexState, IndexToken};
pub use keys::{KeyState, KeyStore, Purpose, StoreError, WrappedKey, provider};
pub use owner::{Owner, OwnerKind, OwnerState};
pub use random::{array as random_bytes, fill as fill_random};
pub use rows::{
    AuthenticatedRow, ColumnEncoder, ColumnType, ColumnValue, MAC_LENGTH, RowMac,
    authenticated_bytes, row_digest,
};
pub use sealed::{FORMAT, HEADER_LENGTH, Sealed};
pub use tables::{Authority, Table};
