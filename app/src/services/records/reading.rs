//! Reading current versions in groups, whose memory is reserved before they are read.

use std::ops::Range;

use db::CurrentVersion;
use db::OwnedPosition;
use db::ResourceKey;
use phi::OrganizationId;
use phi::Owner;

use super::Records;
use crate::services::budget::Reservation;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use crate::services::groups;
use crate::services::groups::Group;

/// Keys whose resources are read together.
#[derive(Clone, Debug)]
pub(super) struct KeyGroup {
    /// Their positions among all keys.
    pub(super) range: Range<usize>,
    bytes: usize,
}

/// Sealed resources that were read together.
pub(super) struct SealedGroup {
    /// Those that exist.
    pub(super) rows: Vec<CurrentVersion>,
    reserved: Reservation,
}

impl SealedGroup {
    fn of(rows: Vec<CurrentVersion>, mut reserved: Reservation) -> Result<Self, ServiceError> {
        let bytes = rows.iter().map(|row| row.version.body.as_bytes().len());
        let bytes: usize = bytes.sum();
        // A write may have replaced a row by a longer one since its length was read.
        reserved.grow(bytes.saturating_sub(reserved.amount()))?;
        Ok(Self { rows, reserved })
    }

    /// The rows and their memory.
    pub(super) fn into_parts(self) -> (Vec<CurrentVersion>, Reservation) {
        (self.rows, self.reserved)
    }
}

impl Records {
    /// Groups of `keys`, in the same order, each of at most `most`.
    pub(super) async fn key_groups(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
        most: usize,
    ) -> Result<Vec<KeyGroup>, ServiceError> {
        let lengths = self.database.version_lengths(organization, keys).await?;
        // What does not exist has no length.
        let length = |key: &ResourceKey| lengths.get(&(key.kind.to_owned(), key.id)).copied();
        let lengths: Vec<_> = keys.iter().map(|key| length(key).unwrap_or(0)).collect();
        let mut found = Vec::new();
        let (mut start, mut rest) = (0, lengths.as_slice());
        while let Some(Group { rows, bytes }) = groups::first(rest, most) {
            let range = start..start + rows;
            start = range.end;
            rest = rest.get(rows..).unwrap_or_default();
            found.push(KeyGroup { range, bytes });
        }
        Ok(found)
    }

    /// The current versions of those resources of a group that exist, in no particular order. `keys` are all keys.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] also if the caller has no memory for them.
    pub(super) async fn read_group(
        &self,
        organization: OrganizationId,
        share: Share,
        keys: &[ResourceKey],
        group: &KeyGroup,
    ) -> Result<SealedGroup, ServiceError> {
        let reserved = self.memory.reserve(share, group.bytes)?;
        let keys = keys.get(group.range.clone()).unwrap_or_default();
        let rows = self.database.current_versions(organization, keys).await?;
        SealedGroup::of(rows, reserved)
    }

    /// The current versions of the next resources of an owner.
    ///
    /// # Errors
    ///
    /// See [`Self::read_group`].
    pub(super) async fn read_owned(
        &self,
        organization: OrganizationId,
        share: Share,
        owner: &Owner,
        after: &OwnedPosition,
        group: Group,
    ) -> Result<SealedGroup, ServiceError> {
        let reserved = self.memory.reserve(share, group.bytes)?;
        let limit = u32::try_from(group.rows).unwrap_or(u32::MAX);
        let rows = self
            .database
            .current_versions_of(organization, owner, after, limit);
        SealedGroup::of(rows.await?, reserved)
    }

    /// Reserves more, where an operation that needs it all at once may never have it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::ResponseTooLarge`] if that is more than any caller may have; [`ServiceError::Unavailable`] if
    /// this one has no room for it now.
    pub(super) fn grow(&self, reserved: &mut Reservation, by: usize) -> Result<(), ServiceError> {
        if !self.memory.admits(reserved.amount().saturating_add(by)) {
            return Err(ServiceError::ResponseTooLarge);
        }
        reserved.grow(by)
    }
}
