//! Owners of stored data: patients, organizations and audit years. The row of an owner has the set
//! of its resources' heads. An owner whose row is missing is refused, never taken for a new one.

mod locked;

use std::collections::BTreeSet;
use std::sync::Arc;

use db::Database;
use db::OwnerRow;
use phi::AuthorizationKey;
use phi::Head;
use phi::HeadSet;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::OwnerState;
use phi::PatientId;
use phi::Requested;
use phi::RowId;
use phi::RowMac;
use phi::ScopeKey;
use phi::SealError;
use phi::Tampering;
use phi::Verified;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;

pub(crate) use locked::LockError;
pub(crate) use locked::LockedOwner;
pub(crate) use locked::verify_newest;

/// A resource type of which the stored heads are not those of the owner's set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HeadDifference {
    /// The resource type.
    pub(crate) kind: String,
    /// The number of heads in the owner's set.
    pub(crate) expected: u32,
    /// The number of heads that were found.
    pub(crate) found: u32,
}

/// The first version of an owner's scope key.
const FIRST_KEY_VERSION: u32 = 1;

/// A verified owner row with its opened set of heads.
#[derive(Debug)]
pub(crate) struct OpenOwner {
    row: OwnerRow,
    heads: HeadSet,
    /// The key under which the set is sealed and its hashes are computed.
    key: Arc<ScopeKey>,
}

/// The row of a new owner without resources. `audit_year` is the latest audit year of an
/// organization.
pub(crate) fn new_owner_row(
    authorization: &AuthorizationKey,
    scope: &ScopeKey,
    audit_year: Option<u16>,
) -> Result<OwnerRow, SealError> {
    owner_row(authorization, scope, &HeadSet::default(), audit_year)
}

/// The row of a new owner with these heads.
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
        key_version: FIRST_KEY_VERSION,
        tombstone: None,
        audit_year,
        heads: scope.seal(row_id, &heads.to_bytes())?,
        mac: RowMac::UNSET,
    }))
}

impl OpenOwner {
    /// Verifies and opens the row of an owner, which must exist and be live.
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] without a row; [`KeyError::Destroyed`] for an owner whose data was
    /// destroyed.
    pub(crate) async fn open(
        keys: &Keys,
        organization: OrganizationId,
        owner: Owner,
        row: Option<OwnerRow>,
    ) -> Result<Self, OpenError> {
        let tampered = |reason| Tampering::report("owners", reason, organization, None);
        let row = row.ok_or_else(|| missing_owner(organization))?;
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

    /// Whether `heads` are exactly the heads of the owner.
    pub(crate) fn has_exactly<'h>(&self, heads: impl IntoIterator<Item = Head<'h>>) -> bool {
        self.has_set(&head_set(&self.key, heads))
    }

    /// Adds a head to a set that is to be compared with the owner's.
    pub(crate) fn add_head(&self, set: &mut HeadSet, head: Head<'_>) {
        set.add(&self.key, head);
    }

    /// The differences between the owner's set and the set of the heads that were found, by resource
    /// type.
    pub(crate) fn differences(&self, found: &HeadSet) -> Vec<HeadDifference> {
        let kinds: BTreeSet<&str> = self.heads.kinds().chain(found.kinds()).collect();
        let differing = kinds
            .into_iter()
            .filter(|kind| !self.heads.agrees_on(kind, found));
        let difference = |kind: &str| HeadDifference {
            kind: kind.to_owned(),
            expected: self.heads.count(kind),
            found: found.count(kind),
        };
        differing.map(difference).collect()
    }

    /// Whether a set has the owner's heads of a resource type.
    pub(crate) fn has_heads_of(&self, kind: &str, set: &HeadSet) -> bool {
        self.heads.agrees_on(kind, set)
    }

    /// Whether a set is the owner's.
    pub(crate) fn has_set(&self, set: &HeadSet) -> bool {
        *set == self.heads
    }
}

/// Refuses a patient that an organization does not have, or whose data was destroyed.
///
/// # Errors
///
/// [`ServiceError::NotFound`].
pub(crate) async fn ensure_patient(
    keys: &Keys,
    database: &Database,
    organization: OrganizationId,
    patient: PatientId,
) -> Result<(), ServiceError> {
    let owner = Owner::Patient(patient);
    let row = database.owner(organization, &owner).await?;
    let row = row.ok_or(ServiceError::NotFound)?;
    let row = keys.verify(organization, row).await?;
    match row.state {
        OwnerState::Destroyed => Err(ServiceError::NotFound),
        OwnerState::Live => Ok(()),
    }
}

/// Reports an owner that must exist, and has no row.
pub(crate) fn missing_owner(organization: OrganizationId) -> Tampering {
    Tampering::report("owners", "the owner's row is missing", organization, None)
}

/// The set of `heads`, hashed under `key`.
fn head_set<'h>(key: &ScopeKey, heads: impl IntoIterator<Item = Head<'h>>) -> HeadSet {
    let mut set = HeadSet::default();
    for head in heads {
        set.add(key, head);
    }
    set
}
