//! The owners of what a transaction writes: locked or made, with the heads that they gain and lose.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use audit::WrittenRow;
use db::ResourceRow;
use db::Transaction;
use fhir::ResourceType;
use phi::AuthorizationKey;
use phi::Head;
use phi::HeadSet;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::Tampering;
use uuid::Uuid;

use super::ApplyError;
use super::Records;
use super::apply::WriteError;
use super::key_of;
use super::owner_of;
use super::rows::OwnedHead;
use super::rows::Rows;
use crate::services::owners::Compared;
use crate::services::owners::LockError;
use crate::services::owners::LockedOwner;
use crate::services::owners::OpenOwner;
use crate::services::owners::owner_row;
use crate::services::owners::verify_newest;
use crate::services::written::written;

/// What became of the owners of a transaction.
pub(super) struct WrittenOwners {
    /// The rows written, as the event lists them.
    pub(super) listed: Vec<WrittenRow>,
    counted: BTreeSet<Owner>,
}

impl WrittenOwners {
    /// Verifies those of the locked heads whose owners were only counted: each must be the newest on record.
    pub(super) async fn verify_replaced(
        &self,
        transaction: &mut Transaction,
        locked: &[ResourceRow],
    ) -> Result<(), LockError> {
        for head in locked {
            if head
                .owner()
                .is_ok_and(|owner| self.counted.contains(&owner))
            {
                verify_newest(transaction, head).await?;
            }
        }
        Ok(())
    }
}

impl Records {
    /// Locks the owner of each change, or makes it, in one order for all transactions. An owner that exists is
    /// compared with its stored heads first.
    pub(super) async fn write_owners(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        key: &AuthorizationKey,
        rows: &Rows,
    ) -> Result<WrittenOwners, WriteError> {
        let mut owners = WrittenOwners {
            listed: Vec::new(),
            counted: BTreeSet::new(),
        };
        for (owner, heads) in by_owner(organization, rows) {
            if let Some(new) = rows.new_owners.get(&owner) {
                let mut set = HeadSet::default();
                for (added, _) in &heads {
                    set.add(&new.scope, *added);
                }
                let row = owner_row(key, &new.scope, &set, None);
                let row = row.map_err(ApplyError::from)?;
                self.refuse_existing(transaction, organization, owner)
                    .await?;
                let made = std::slice::from_ref(&row);
                transaction.insert_owners(made).await?;
                let made = transaction.insert_keys(std::slice::from_ref(&new.row));
                made.await.map_err(in_the_way("keys", organization))?;
                owners.listed.extend([written(&row), written(&new.row)]);
                continue;
            }
            let kinds = heads.iter().map(|(added, _)| added.kind).collect();
            let locked = LockedOwner::lock(&self.keys, transaction, organization, owner);
            let mut locked = locked.await.map_err(destroyed(owner))?;
            let compared = locked.verify_heads(transaction, &kinds).await?;
            if compared == Compared::Counts {
                owners.counted.insert(owner);
            }
            let before = locked.mac();
            for (added, removed) in heads {
                if let Some(removed) = removed {
                    locked.remove(removed);
                }
                locked.add(added);
            }
            let row = locked.resealed(key).map_err(ApplyError::from)?;
            transaction.update_owner(&row, &before).await?;
            owners.listed.push(written(&row));
        }
        Ok(owners)
    }

    /// A new patient's owner must not exist: a destroyed patient is not made again.
    async fn refuse_existing(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<(), WriteError> {
        let Some(row) = transaction.lock_owner(organization, &owner).await? else {
            return Ok(());
        };
        let opened = OpenOwner::open(&self.keys, organization, owner, Some(row)).await;
        opened.map_err(LockError::from).map_err(destroyed(owner))?;
        let patient = Uuid::from_bytes(owner.id(organization));
        let keys = [key_of(ResourceType::Patient, patient)];
        let heads = transaction.lock_resources(organization, &keys).await?;
        if heads.is_empty() {
            // An owner commits together with its patient, and is locked here: no transaction is about to store it.
            let reason = "the head of a patient that has an owner is missing";
            let tampering = Tampering::report("resources", reason, organization, Some(patient));
            return Err(ApplyError::from(tampering).into());
        }
        // Made by a concurrent transaction since the plan: the next attempt finds it.
        Err(WriteError::Conflict)
    }
}

/// The error of an insertion under the owner's lock, of a row that no concurrent transaction can have written: one
/// that is there already has lost the rows that it belongs to.
///
/// A resource's id is the exception: two owners may get it at once.
pub(super) fn in_the_way(
    table: &'static str,
    organization: OrganizationId,
) -> impl Fn(db::Error) -> WriteError {
    move |error| {
        if !matches!(&error, db::Error::UniqueViolation(key) if *key != "resources_id") {
            return error.into();
        }
        let reason = "a row is stored whose owner or head is not";
        let tampering = Tampering::report(table, reason, organization, None);
        ApplyError::from(tampering).into()
    }
}

/// An added head, and the one that it replaces.
type Heads<'r> = Vec<(Head<'r>, Option<Head<'r>>)>;

/// The heads that each owner gains and loses, by owner in ascending order.
fn by_owner(organization: OrganizationId, rows: &Rows) -> BTreeMap<Owner, Heads<'_>> {
    let mut owners: BTreeMap<Owner, Heads<'_>> = BTreeMap::new();
    for change in &rows.heads {
        owners
            .entry(owner_of(organization, change.patient))
            .or_default()
            .push((
                change.added.head(),
                change.removed.as_ref().map(OwnedHead::head),
            ));
    }
    owners
}

impl From<LockError> for WriteError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Database(error) => error.into(),
            LockError::Open(error) => Self::Refused(error.into()),
        }
    }
}

/// The error of an owner that was not locked: for one that was destroyed, that nothing is written for it any more.
fn destroyed(owner: Owner) -> impl Fn(LockError) -> WriteError {
    move |error| {
        if let LockError::Open(OpenError::Key(KeyError::Destroyed)) = error {
            WriteError::Destroyed(owner)
        } else {
            error.into()
        }
    }
}
