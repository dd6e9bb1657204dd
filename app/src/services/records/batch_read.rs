//! Reads of current versions in batches, whose memory is reserved before they are read.

use std::ops::Range;

use db::CurrentVersion;
use db::OwnedPosition;
use db::ResourceKey;
use phi::OrganizationId;
use phi::Owner;

use super::Records;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::read_batch::ReadBatch;

/// Keys of resources that are read together.
#[derive(Clone, Debug)]
pub(super) struct KeyBatch {
    /// The indexes of the keys in the list of all keys.
    pub(super) range: Range<usize>,
    /// The total length of the resources, in bytes.
    bytes: usize,
}

/// Sealed resources that were read together, with their memory.
pub(super) struct SealedBatch {
    /// The rows of those that exist.
    pub(super) rows: Vec<CurrentVersion>,
    reserved: Reservation,
}

impl SealedBatch {
    fn of(rows: Vec<CurrentVersion>, mut reserved: Reservation) -> Result<Self, ServiceError> {
        let bytes = rows.iter().map(|row| row.version.body.as_bytes().len());
        let bytes: usize = bytes.sum();
        // A write may have replaced a row with a longer one since the lengths were read.
        reserved.grow(bytes.saturating_sub(reserved.amount()))?;
        Ok(Self { rows, reserved })
    }

    /// The rows and their memory.
    pub(super) fn into_parts(self) -> (Vec<CurrentVersion>, Reservation) {
        (self.rows, self.reserved)
    }
}

impl Records {
    /// Splits `keys` into batches of at most `max_keys`, in the same order.
    pub(super) async fn key_batches(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
        max_keys: usize,
    ) -> Result<Vec<KeyBatch>, ServiceError> {
        let lengths = self.database.version_lengths(organization, keys).await?;
        // A resource that does not exist has no length.
        let length = |key: &ResourceKey| lengths.get(&(key.kind.to_owned(), key.id)).copied();
        let lengths: Vec<_> = keys.iter().map(|key| length(key).unwrap_or(0)).collect();
        let mut batches = Vec::new();
        let (mut start, mut rest) = (0, lengths.as_slice());
        while let Some(ReadBatch { rows, bytes }) = ReadBatch::first(rest, max_keys) {
            let range = start..start + rows;
            start = range.end;
            rest = rest.get(rows..).unwrap_or_default();
            batches.push(KeyBatch { range, bytes });
        }
        Ok(batches)
    }

    /// The current versions of the resources of a batch that exist, in no particular order. `keys`
    /// are the keys of all batches.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] also if the caller's memory budget is exhausted.
    pub(super) async fn read_batch(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        keys: &[ResourceKey],
        batch: &KeyBatch,
    ) -> Result<SealedBatch, ServiceError> {
        let reserved = self.memory.reserve(caller, batch.bytes)?;
        let keys = keys.get(batch.range.clone()).unwrap_or_default();
        let rows = self.database.current_versions(organization, keys).await?;
        SealedBatch::of(rows, reserved)
    }

    /// The current versions of the next resources of an owner, after a position.
    ///
    /// # Errors
    ///
    /// See [`Self::read_batch`].
    pub(super) async fn read_owned(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        owner: &Owner,
        after: &OwnedPosition,
        batch: ReadBatch,
    ) -> Result<SealedBatch, ServiceError> {
        let reserved = self.memory.reserve(caller, batch.bytes)?;
        let limit = u32::try_from(batch.rows).unwrap_or(u32::MAX);
        let rows = self
            .database
            .current_versions_of(organization, owner, after, limit);
        SealedBatch::of(rows.await?, reserved)
    }

    /// Reserves more memory for an operation that needs all of it at once.
    ///
    /// # Errors
    ///
    /// [`ServiceError::ResponseTooLarge`] if the reservation exceeds the largest share of a caller;
    /// [`ServiceError::Unavailable`] if this caller cannot now.
    pub(super) fn grow(&self, reserved: &mut Reservation, by: usize) -> Result<(), ServiceError> {
        if !self.memory.admits(reserved.amount().saturating_add(by)) {
            return Err(ServiceError::ResponseTooLarge);
        }
        reserved.grow(by)
    }
}
