//! Owners: the row of each scope, with what it has. A missing row refuses.

use std::sync::Arc;

use db::OwnerRow;
use phi::{
    AuthorizationKey, Head, HeadSet, KeyError, OpenError, OrganizationId, Owner, OwnerState,
    Requested, RowId, RowMac, ScopeKey, SealError, Tampering, Verified,
};

use crate::services::keys::Keys;

/// The first version of an owner's key.
const FIRST: u32 = 1;

/// A verified owner row, opened.
#[derive(Debug)]
pub(crate) struct OpenOwner {
    row: OwnerRow,
    heads: HeadSet,
    /// The key that the heads are sealed and summed under.
    key: Arc<ScopeKey>,
}

/// The row of a new owner, which has nothing yet. `audit_year` is the latest audit year of an organization.
pub(crate) fn new_owner_row(
    authorization: &AuthorizationKey,
    scope: &ScopeKey,
    audit_year: Option<u16>,
) -> Result<OwnerRow, SealError> {
    owner_row(authorization, scope, &HeadSet::default(), audit_year)
}

/// The row of a new owner that has `heads`.
pub(crate) fn owner_row(
    authorization: &AuthorizationKey,
    scope: &ScopeKey,
    heads: &HeadSet,
    audit_year: Option<u16>,
) -> Result<OwnerRow, SealError> {
    let row_id = RowId::random();
    Ok(authorization.authenticate(OwnerRow {
        organization: scope.organization(),
        owner_kind: scope.owner().kind(),
        owner: scope.owner().id(scope.organization()),
        row_id,
        state: OwnerState::Live,
        holds: 0,
        key_version: FIRST,
        tombstone: None,
        audit_year,
        heads: scope.seal(row_id, &heads.to_bytes())?,
        mac: RowMac::UNSET,
    }))
}

impl OpenOwner {
    /// Verifies and opens the row of an owner that has to exist and be live.
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] without a row; [`KeyError::Destroyed`] for an owner whose data was destroyed.
    pub(crate) async fn open(
        keys: &Keys,
        organization: OrganizationId,
        owner: Owner,
        row: Option<OwnerRow>,
    ) -> Result<Self, OpenError> {
        let tampered = |reason| Tampering::report("owners", reason, organization, None);
        let row = row.ok_or_else(|| tampered("the owner's row is missing"))?;
        let row = keys.verify(organization, row).await?;
        if row.owner_kind != owner.kind() || row.owner != owner.id(organization) {
            return Err(tampered("the row is of another owner").into());
        }
        if row.state == OwnerState::Destroyed {
            return Err(KeyError::Destroyed.into());
        }
        let requested = Requested {
            organization,
            owner,
            row: row.row_id,
        };
        let heads = keys.open(requested, &row.heads).await?;
        let heads = HeadSet::from_bytes(heads.expose())
            .ok_or_else(|| tampered("the heads are malformed"))?;
        let id = row.heads.key_id().ok_or(KeyError::Corrupt)?;
        let key = keys.scope_by_id(organization, owner, id).await?;
        let row = Verified::into_inner(row);
        Ok(Self { row, heads, key })
    }

    /// The bytes of the row's MAC: what a guarded update compares.
    pub(crate) fn mac(&self) -> [u8; 32] {
        *self.row.mac.as_bytes()
    }

    /// The latest audit year of the organization that has a key.
    pub(crate) const fn audit_year(&self) -> Option<u16> {
        self.row.audit_year
    }

    /// Sets the latest audit year.
    pub(crate) fn set_audit_year(&mut self, year: u16) {
        self.row.audit_year = Some(year);
    }

    /// Adds the head of a new version.
    pub(crate) fn add(&mut self, head: Head<'_>) {
        self.heads.add(&self.key, head);
    }

    /// Removes the head of a former version.
    pub(crate) fn remove(&mut self, head: Head<'_>) {
        self.heads.remove(&self.key, head);
    }

    /// Whether `heads` are all heads that the owner has.
    pub(crate) fn has_exactly<'h>(&self, heads: impl IntoIterator<Item = Head<'h>>) -> bool {
        let mut found = HeadSet::default();
        for head in heads {
            found.add(&self.key, head);
        }
        found == self.heads
    }

    /// The row to store, with the heads sealed again.
    pub(crate) fn resealed(&self, authorization: &AuthorizationKey) -> Result<OwnerRow, SealError> {
        let mut row = self.row.clone();
        row.heads = self.key.seal(row.row_id, &self.heads.to_bytes())?;
        Ok(authorization.authenticate(row))
    }
}
