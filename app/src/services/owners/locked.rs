//! An owner that a transaction has locked: compared with the heads that are stored, then written again.
//!
//! A write that changed the sums of a set which the database contradicts would spoil it: the heads could be put back,
//! and would never again agree with their owner. So a write is as strict as the read of a whole chart, as far as its
//! cost allows:
//!
//! - Up to [`COMPARED`] heads, all of them are compared with the owner's set. The head rows suffice: each has the
//!   digest of its version's row, so no body is read.
//! - Above, the heads of the written types are *counted*, and each head that the write replaces must be the newest on
//!   record in `audit_rows` ([`verify_newest`]), which the app can insert into and never change. A head that this write
//!   does not touch may have been exchanged meanwhile, with the count kept; that spoils nothing, since the sums change
//!   by what was verified alone, and the next reader of the whole chart finds it.

use std::collections::BTreeSet;
use std::sync::Arc;

use db::OwnerRow;
use db::ResourceRow;
use db::StoredHead;
use db::Transaction;
use phi::AuthenticatedRow;
use phi::AuthorizationKey;
use phi::Head;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::ScopeKey;
use phi::SealError;
use phi::Tampering;
use phi::row_digest;
use uuid::Uuid;

use super::OpenOwner;
use super::summed;
use crate::services::keys::Keys;

/// The largest number of heads of an owner that each write compares one by one: nearly every chart has fewer.
const COMPARED: u32 = 512;

/// An owner whose row is locked by a transaction, opened under the owner's current key.
#[derive(Debug)]
pub(crate) struct LockedOwner {
    organization: OrganizationId,
    owner: Owner,
    open: OpenOwner,
}

/// An owner was not locked, or is not as it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// The owner cannot be opened, or its heads are not those that are stored.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<KeyError> for LockError {
    fn from(error: KeyError) -> Self {
        Self::Open(error.into())
    }
}

impl From<Tampering> for LockError {
    fn from(error: Tampering) -> Self {
        Self::Open(error.into())
    }
}

/// What of an owner's set was compared with the stored heads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compared {
    /// Every head.
    Heads,
    /// The numbers of heads.
    Counts,
}

impl LockedOwner {
    /// Locks the row of an owner that has to exist and be live, and opens it.
    ///
    /// The first lock after a rotation of the owner's key compares all heads and sums them under the current key: a
    /// former key verifies, and neither seals nor sums anything new.
    ///
    /// # Errors
    ///
    /// See [`LockError`]; [`KeyError::Destroyed`] for an owner whose data was destroyed.
    pub(crate) async fn lock(
        keys: &Keys,
        transaction: &mut Transaction,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Self, LockError> {
        let row = transaction.lock_owner(organization, &owner).await?;
        let open = OpenOwner::open(keys, organization, owner, row).await?;
        let scope = match keys.scope(organization, owner).await {
            Err(KeyError::Missing) => {
                let reason = "the key of an owner that exists is missing";
                let tampering = Tampering::report("keys", reason, organization, None);
                return Err(tampering.into());
            }
            scope => scope?,
        };
        let mut locked = Self {
            organization,
            owner,
            open,
        };
        if locked.open.key.key_id() != scope.key_id() {
            let limit = locked.limit(u32::MAX);
            let heads = transaction.heads_of(organization, &owner, limit).await?;
            locked.move_to(scope, &heads)?;
        }
        Ok(locked)
    }

    /// Compares the owner's set with the heads that are stored: all of them, or, for an owner with many, the number
    /// of those of `kinds`; then replaced heads are left to [`verify_newest`].
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] if they differ.
    pub(crate) async fn verify_heads(
        &self,
        transaction: &mut Transaction,
        kinds: &BTreeSet<&str>,
    ) -> Result<Compared, LockError> {
        let (organization, owner) = (self.organization, &self.owner);
        if self.open.heads.total() <= u64::from(COMPARED) {
            let limit = self.limit(COMPARED);
            let heads = transaction.heads_of(organization, owner, limit).await?;
            self.agrees_with(&heads)?;
            return Ok(Compared::Heads);
        }
        for kind in kinds {
            let count = transaction.count_heads(organization, owner, kind).await?;
            if count != u64::from(self.open.heads.count(kind)) {
                return Err(self.tampered().into());
            }
        }
        Ok(Compared::Counts)
    }

    /// One head more than the owner has, at most one more than `most`: a longer list differs, however long it is.
    fn limit(&self, most: u32) -> u32 {
        let total = u32::try_from(self.open.heads.total()).unwrap_or(u32::MAX);
        total.min(most).saturating_add(1)
    }

    fn agrees_with(&self, heads: &[StoredHead]) -> Result<(), Tampering> {
        if self.open.has_exactly(heads.iter().map(head_of)) {
            Ok(())
        } else {
            Err(self.tampered())
        }
    }

    /// Sums the heads under another key of the owner, if they are those of the set.
    fn move_to(&mut self, scope: Arc<ScopeKey>, heads: &[StoredHead]) -> Result<(), Tampering> {
        self.agrees_with(heads)?;
        self.open.heads = summed(&scope, heads.iter().map(head_of));
        self.open.key = scope;
        Ok(())
    }

    fn tampered(&self) -> Tampering {
        let reason = "the stored heads are not those that their owner counts";
        let id = Uuid::from_bytes(self.owner.id(self.organization));
        Tampering::report("resources", reason, self.organization, Some(id))
    }

    /// The bytes of the row's MAC: what a guarded update compares.
    pub(crate) fn mac(&self) -> [u8; 32] {
        *self.open.row.mac.as_bytes()
    }

    /// The latest audit year of the organization that has a key.
    pub(crate) const fn audit_year(&self) -> Option<u16> {
        self.open.row.audit_year
    }

    /// Sets the latest audit year.
    pub(crate) fn set_audit_year(&mut self, year: u16) {
        self.open.row.audit_year = Some(year);
    }

    /// Adds the head of a new version.
    pub(crate) fn add(&mut self, head: Head<'_>) {
        self.open.heads.add(&self.open.key, head);
    }

    /// Removes the head of a former version.
    pub(crate) fn remove(&mut self, head: Head<'_>) {
        self.open.heads.remove(&self.open.key, head);
    }

    /// The row to store, with the heads sealed again.
    pub(crate) fn resealed(&self, authorization: &AuthorizationKey) -> Result<OwnerRow, SealError> {
        let mut row = self.open.row.clone();
        row.heads = self
            .open
            .key
            .seal(row.row_id, &self.open.heads.to_bytes())?;
        Ok(authorization.authenticate(row))
    }
}

/// Compares a locked head with the newest digest on record. Its owner is locked too, so that no event of a concurrent
/// write is newer.
///
/// # Errors
///
/// [`OpenError::Tampered`] for a head that is not the newest on record.
pub(crate) async fn verify_newest(
    transaction: &mut Transaction,
    head: &ResourceRow,
) -> Result<(), LockError> {
    let (table, row) = (ResourceRow::TABLE, head.row_id());
    let newest = transaction.newest_digest(head.organization, table.tag, row);
    let newest = newest.await?.map(|(_, _, digest)| digest);
    if newest == Some(row_digest(head)) {
        return Ok(());
    }
    let reason = "the head is not the newest on record: an older one was put back";
    Err(Tampering::report(table.name, reason, head.organization, Some(row)).into())
}

fn head_of(stored: &StoredHead) -> Head<'_> {
    Head {
        kind: &stored.kind,
        id: stored.id,
        version: stored.version,
        digest: stored.version_digest,
    }
}

#[cfg(test)]
mod tests;
