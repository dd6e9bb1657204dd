//! The owners of what a transaction writes: locked or made, with the heads that they gain and lose.

use std::collections::BTreeMap;

use audit::WrittenRow;
use db::Transaction;
use phi::{AuthorizationKey, Head, HeadSet, KeyError, OpenError, OrganizationId, Owner};

use super::apply::WriteError;
use super::rows::{OwnedHead, Rows};
use super::{ApplyError, Records, owner_of};
use crate::services::error::ServiceError;
use crate::services::owners::{OpenOwner, owner_row};
use crate::services::written::written;

impl Records {
    /// Locks the owner of each change, or makes it, in one order for all transactions; returns the rows written.
    pub(super) async fn write_owners(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        key: &AuthorizationKey,
        rows: &Rows,
    ) -> Result<Vec<WrittenRow>, WriteError> {
        let mut listed = Vec::new();
        for (owner, heads) in by_owner(organization, rows) {
            if let Some(new) = rows.new_owners.get(&owner) {
                let mut set = HeadSet::default();
                for (added, _) in &heads {
                    set.add(&new.scope, *added);
                }
                let row = owner_row(key, &new.scope, &set, None);
                let row = row.map_err(|error| ApplyError::from(ServiceError::internal(error)))?;
                self.refuse_existing(transaction, organization, &owner)
                    .await?;
                transaction
                    .insert_owners(std::slice::from_ref(&row))
                    .await?;
                transaction
                    .insert_keys(std::slice::from_ref(&new.row))
                    .await?;
                listed.extend([written(&row), written(&new.row)]);
                continue;
            }
            let row = transaction.lock_owner(organization, &owner).await?;
            let open = OpenOwner::open(&self.keys, organization, owner, row).await;
            let mut open = open.map_err(|error| ApplyError::from(gone(error)))?;
            let before = open.mac();
            for (added, removed) in heads {
                if let Some(removed) = removed {
                    open.remove(removed);
                }
                open.add(added);
            }
            let row = open.resealed(key);
            let row = row.map_err(|error| ApplyError::from(ServiceError::internal(error)))?;
            transaction.update_owner(&row, &before).await?;
            listed.push(written(&row));
        }
        Ok(listed)
    }

    /// A new patient's owner must not exist: a destroyed patient is not made again.
    async fn refuse_existing(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        owner: &Owner,
    ) -> Result<(), WriteError> {
        let Some(row) = transaction.lock_owner(organization, owner).await? else {
            return Ok(());
        };
        let opened = OpenOwner::open(&self.keys, organization, *owner, Some(row)).await;
        Err(match opened {
            Err(error) => ApplyError::from(gone(error)).into(),
            // Made by a concurrent transaction since the plan: the next attempt finds it. A patient that is hidden
            // stays refused.
            Ok(_) => WriteError::Conflict,
        })
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

/// Data of a destroyed owner is gone: the client's request conflicts with that.
fn gone(error: OpenError) -> ServiceError {
    if error == OpenError::Key(KeyError::Destroyed) {
        ServiceError::Conflict("the patient's data was destroyed, and the id stays unused")
    } else {
        error.into()
    }
}
