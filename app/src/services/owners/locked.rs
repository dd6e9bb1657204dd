//! Owners that are locked by a transaction, whose sets of heads it updates.
//!
//! A write must not update a set that the stored heads contradict: once the heads were put right,
//! they would no longer match their owner. Its cost must not grow with the chart, so it verifies
//! what it changes:
//!
//! - Each head that it replaces is the newest recorded in `audit_rows` ([`verify_newest`]), which
//!   the app can insert into and never change.
//! - Where it creates a resource under an id that the client chose, the heads of the type are
//!   counted ([`LockedOwner::verify_count`]): a hidden head would be created a second time. An id
//!   that the server assigned at random has no head that could be hidden.
//!
//! A head that the write does not touch may have been exchanged or hidden. The set stays right all
//! the same, since its hashes change by verified heads alone; the next read of the whole chart
//! finds the difference.

use std::sync::Arc;

use db::LockedHead;
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
use super::head_set;
use crate::services::keys::Keys;
use crate::services::newest_row::ensure_newest;

/// An owner whose row is locked by a transaction, opened under the owner's current key.
#[derive(Debug)]
pub(crate) struct LockedOwner {
    organization: OrganizationId,
    owner: Owner,
    open: OpenOwner,
}

/// The error of an owner that cannot be locked, or is not as it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// The owner cannot be opened, or its set does not match the stored heads.
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

impl LockedOwner {
    /// Locks and opens the row of an owner, which must be live; none if there is no row.
    ///
    /// The first lock after a rotation of the owner's key compares all heads and hashes them under
    /// the current key: a former key is used for verification alone.
    ///
    /// # Errors
    ///
    /// See [`LockError`]; [`KeyError::Destroyed`] for an owner whose data was destroyed.
    pub(crate) async fn lock(
        keys: &Keys,
        transaction: &mut Transaction,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Option<Self>, LockError> {
        let row = transaction.lock_owner(organization, &owner).await?;
        if row.is_none() {
            return Ok(None);
        }
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
            // One more than the owner has, which suffices to detect a surplus of any size.
            let total = u32::try_from(locked.open.heads.total()).unwrap_or(u32::MAX);
            let limit = total.saturating_add(1);
            let heads = transaction.heads_of(organization, &owner, limit).await?;
            locked.rekey(scope, &heads)?;
        }
        Ok(Some(locked))
    }

    /// Compares the number of the owner's heads of a resource type with that of the stored ones.
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] if they differ.
    pub(crate) async fn verify_count(
        &self,
        transaction: &mut Transaction,
        kind: &str,
    ) -> Result<(), LockError> {
        let (organization, owner) = (self.organization, &self.owner);
        let count = transaction.count_heads(organization, owner, kind).await?;
        if count == u64::from(self.open.heads.count(kind)) {
            Ok(())
        } else {
            Err(self.tampered().into())
        }
    }

    fn ensure_matches(&self, heads: &[StoredHead]) -> Result<(), Tampering> {
        if self.open.has_exactly(heads.iter().map(head_of)) {
            Ok(())
        } else {
            Err(self.tampered())
        }
    }

    /// Hashes the heads under another key of the owner, if they match the set.
    fn rekey(&mut self, scope: Arc<ScopeKey>, heads: &[StoredHead]) -> Result<(), Tampering> {
        self.ensure_matches(heads)?;
        self.open.heads = head_set(&scope, heads.iter().map(head_of));
        self.open.key = scope;
        Ok(())
    }

    fn tampered(&self) -> Tampering {
        let reason = "the stored heads do not match the set of their owner";
        let id = Uuid::from_bytes(self.owner.id(self.organization));
        Tampering::report("resources", reason, self.organization, Some(id))
    }

    /// The opened row.
    pub(crate) const fn opened(&self) -> &OpenOwner {
        &self.open
    }

    /// The bytes of the row's MAC, which a guarded update compares.
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

    /// The updated row, with the set sealed again.
    pub(crate) fn reseal(&self, authorization: &AuthorizationKey) -> Result<OwnerRow, SealError> {
        let mut row = self.open.row.clone();
        row.heads = self
            .open
            .key
            .seal(row.row_id, &self.open.heads.to_bytes())?;
        Ok(authorization.authenticate(row))
    }
}

/// Compares a locked head with the newest digest recorded for its row. Its owner must be locked
/// too, so that no event of a concurrent write is newer.
///
/// # Errors
///
/// [`Tampering`] for a head that is not the newest on record.
pub(crate) fn verify_newest(locked: &LockedHead) -> Result<(), Tampering> {
    let head = &locked.head;
    let (row, digest) = (head.row_id(), row_digest(head));
    ensure_newest::<ResourceRow>(head.organization, row, digest, locked.newest_digest)
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
