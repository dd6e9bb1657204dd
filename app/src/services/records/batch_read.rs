//! Reads of current versions in batches, whose memory is reserved before they are read.

use std::ops::Range;

use db::CurrentVersion;
use db::OwnedPosition;
use db::ResourceKey;
use db::StoredHead;
use phi::OrganizationId;
use phi::Owner;

use super::Records;
use super::damage::undamaged;
use super::reader::Reader;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::read_batch::ReadBatch;

/// Keys of resources that are read together.
#[derive(Clone, Debug)]
pub(super) struct KeyBatch {
    /// The indexes of the keys in the list of all keys.
    pub(super) range: Range<usize>,
    /// The total length of the resources, in bytes; 0 if it was not read.
    bytes: usize,
    /// Whether some of the resources may exist.
    may_exist: bool,
}

impl KeyBatch {
    /// Those of all keys that are in this batch; none if none of its resources exist.
    fn keys_of<'k>(&self, all: &'k [ResourceKey]) -> &'k [ResourceKey] {
        let keys = all.get(self.range.clone()).filter(|_| self.may_exist);
        keys.unwrap_or_default()
    }
}

/// Sealed resources that were read together, with their memory.
pub(super) struct SealedBatch {
    /// The rows of those that exist.
    pub(super) rows: Vec<CurrentVersion>,
    reserved: Reservation,
}

/// Resources of one owner that were read together.
pub(super) struct OwnedBatch {
    /// Those whose rows can be read.
    pub(super) sealed: SealedBatch,
    /// The heads, not verified, of those whose rows cannot be read.
    pub(super) unreadable: Vec<StoredHead>,
}

impl OwnedBatch {
    /// The position of the last resource; none without resources.
    pub(super) fn last_position(&self) -> Option<OwnedPosition> {
        let readable = self.sealed.rows.iter();
        let readable = readable.map(|row| OwnedPosition::of(&row.head));
        let unreadable = self.unreadable.iter().map(position);
        readable.chain(unreadable).max()
    }
}

/// The position of a head.
fn position(head: &StoredHead) -> OwnedPosition {
    OwnedPosition {
        kind: head.kind.clone(),
        id: head.id,
    }
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
    /// Splits `keys` into batches of at most `max_keys`, in the same order. The length of a single resource is not read,
    /// since one is read without a reservation everywhere.
    pub(super) async fn key_batches(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
        max_keys: usize,
    ) -> Result<Vec<KeyBatch>, ServiceError> {
        if keys.len() <= 1 {
            let only = keys.iter().map(|_| KeyBatch {
                range: 0..1,
                bytes: 0,
                may_exist: true,
            });
            return Ok(only.collect());
        }
        let lengths = self.database.version_lengths(organization, keys).await?;
        // A resource that does not exist has no length.
        let length = |key: &ResourceKey| lengths.get(&(key.kind.to_owned(), key.id)).copied();
        let found: Vec<_> = keys.iter().map(length).collect();
        let lengths: Vec<_> = found.iter().map(|it| it.unwrap_or(0)).collect();
        let mut batches = Vec::new();
        let (mut start, mut rest) = (0, lengths.as_slice());
        while let Some(ReadBatch { rows, bytes }) = ReadBatch::first(rest, max_keys) {
            let range = start..start + rows;
            start = range.end;
            rest = rest.get(rows..).unwrap_or_default();
            let lengths = found.get(range.clone()).unwrap_or_default();
            batches.push(KeyBatch {
                range,
                bytes,
                may_exist: lengths.iter().any(Option::is_some),
            });
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
        let rows = match batch.keys_of(keys) {
            [] => Vec::new(),
            keys => self.database.current_versions(organization, keys).await?,
        };
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
    ) -> Result<OwnedBatch, ServiceError> {
        let reserved = self.memory.reserve(caller, batch.bytes)?;
        let limit = u32::try_from(batch.rows).unwrap_or(u32::MAX);
        let rows = self
            .database
            .current_versions_of(organization, owner, after, limit);
        let (rows, unreadable) = match undamaged(rows.await)? {
            Some(rows) => (rows, Vec::new()),
            None => {
                self.read_one_by_one(organization, owner, after, limit)
                    .await?
            }
        };
        Ok(OwnedBatch {
            sealed: SealedBatch::of(rows, reserved)?,
            unreadable,
        })
    }

    /// Like the statement of [`Self::read_owned`], by one statement for each resource, so that one
    /// unreadable row does not hide the others.
    async fn read_one_by_one(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        after: &OwnedPosition,
        limit: u32,
    ) -> Result<(Vec<CurrentVersion>, Vec<StoredHead>), ServiceError> {
        let heads = self
            .database
            .owned_heads(organization, owner, after, limit)
            .await?;
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        let mut before = after.clone();
        for head in heads {
            let here = position(&head);
            // Not ensured by the statement, and the caller's progress depends on it.
            if here <= before {
                break;
            }
            let row = self
                .database
                .current_versions_of(organization, owner, &before, 1)
                .await;
            match undamaged(row)? {
                Some(row) => rows.extend(row),
                None => unreadable.push(head),
            }
            before = here;
        }
        Ok((rows, unreadable))
    }

    /// Those of the current versions of a batch whose rows can be read, as [`Self::read_batch`]
    /// does, by one statement for each resource if a row cannot be read. The request is charged for
    /// them.
    ///
    /// # Errors
    ///
    /// See [`Self::read_batch`].
    pub(super) async fn read_readable(
        &self,
        reader: Reader<'_>,
        keys: &[ResourceKey],
        batch: &KeyBatch,
    ) -> Result<SealedBatch, ServiceError> {
        let organization = reader.organization;
        let reserved = self.memory.reserve(reader.caller, batch.bytes)?;
        let keys = batch.keys_of(keys);
        if keys.is_empty() {
            return SealedBatch::of(Vec::new(), reserved);
        }
        let rows = self.database.current_versions(organization, keys).await;
        let rows = if let Some(rows) = undamaged(rows)? {
            rows
        } else {
            let mut rows = Vec::new();
            for key in keys {
                let row = self.database.current_version(organization, key).await;
                rows.extend(undamaged(row)?.flatten());
            }
            rows
        };
        let bytes = rows.iter().map(|row| row.version.body.as_bytes().len());
        reader.budget.charge_bodies(rows.len(), bytes.sum());
        SealedBatch::of(rows, reserved)
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
