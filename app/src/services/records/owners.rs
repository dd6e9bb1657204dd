//! The owners of the resources that a transaction writes: locked or created, with the heads that
//! they gain and lose.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use audit::WrittenRow;
use db::Transaction;
use fhir::ResourceType;
use phi::AuthorizationKey;
use phi::HeadSet;
use phi::KeyError;
use phi::NewScope;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::Tampering;
use uuid::Uuid;

use super::ApplyError;
use super::Records;
use super::condition_check::Conditions;
use super::owner_of;
use super::plan::WritePlan;
use super::resource_key;
use super::sealed_rows::HeadChange;
use super::sealed_rows::SealedRows;
use super::write_error::WriteError;
use crate::services::owners::LockError;
use crate::services::owners::LockedOwner;
use crate::services::owners::OpenOwner;
use crate::services::owners::missing_owner;
use crate::services::owners::owner_row;
use crate::services::written_row::written_row;

impl Records {
    /// Locks or creates the owner of each change; returns their new rows, as the event lists them. All
    /// transactions do so in the same order, which excludes deadlocks. The owners of conditions are
    /// among them, and the conditions are verified.
    pub(super) async fn write_owners(
        &self,
        transaction: &mut Transaction,
        plan: &WritePlan,
        key: &AuthorizationKey,
        rows: &SealedRows,
        conditions: Option<&Conditions>,
    ) -> Result<Vec<WrittenRow>, WriteError> {
        let organization = plan.organization;
        let mut listed = Vec::new();
        let mut by_owner = by_owner(organization, rows);
        for owner in conditions.into_iter().flat_map(Conditions::owners) {
            by_owner.entry(owner).or_default();
        }
        for (owner, heads) in by_owner {
            if let Some(new) = rows.new_owners.get(&owner) {
                // A condition on its resources found none, and there are none.
                let written = self.create_owner(transaction, key, new, &heads);
                listed.extend(written.await?);
                continue;
            }
            if heads.is_empty() {
                if let Some(conditions) = conditions {
                    self.lock_condition_owner(transaction, conditions, owner)
                        .await?;
                }
                continue;
            }
            let locked = LockedOwner::lock(&self.keys, transaction, organization, owner);
            let locked = locked.await.map_err(lock_error(owner))?;
            let missing = || plan.missing_owner_row(|| missing_owner(organization));
            let mut locked = locked.ok_or_else(missing)?;
            if let Some(conditions) = conditions {
                self.verify_conditions_of(transaction, conditions, owner, locked.opened())
                    .await?;
            }
            for kind in kinds_of_named(&heads) {
                locked.verify_count(transaction, kind).await?;
            }
            let former_mac = locked.mac();
            for change in heads {
                if let Some(removed) = change.removed {
                    locked.remove(removed);
                }
                locked.add(change.added);
            }
            let row = locked.reseal(key).map_err(ApplyError::from)?;
            transaction.update_owner(&row, &former_mac).await?;
            listed.push(written_row(&row));
        }
        Ok(listed)
    }

    /// Creates an owner with its key and its first heads. Returns its rows, as the event lists them.
    async fn create_owner(
        &self,
        transaction: &mut Transaction,
        key: &AuthorizationKey,
        new: &NewScope,
        heads: &[&HeadChange],
    ) -> Result<[WrittenRow; 2], WriteError> {
        let (organization, owner) = (new.scope.organization(), new.scope.owner());
        let mut set = HeadSet::default();
        for change in heads {
            set.add(&new.scope, change.added);
        }
        let row = owner_row(key, &new.scope, &set, None).map_err(ApplyError::from)?;
        self.refuse_existing(transaction, organization, owner)
            .await?;
        transaction
            .insert_owners(std::slice::from_ref(&row))
            .await?;
        let keys = transaction.insert_keys(std::slice::from_ref(&new.row));
        keys.await
            .map_err(orphan_is_tampering("keys", organization))?;
        Ok([written_row(&row), written_row(&new.row)])
    }

    /// Refuses an owner that exists already, in place of a new one: a destroyed patient is not
    /// created again.
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
        opened.map_err(LockError::from).map_err(lock_error(owner))?;
        let patient = Uuid::from_bytes(owner.id(organization));
        let keys = [resource_key(ResourceType::Patient, patient)];
        let heads = transaction.lock_resources(organization, &keys).await?;
        if heads.is_empty() {
            // An owner is committed together with its patient, and is locked here: no transaction
            // can be about to store the head.
            let reason = "the head of a patient that has an owner is missing";
            let tampering = Tampering::report("resources", reason, organization, Some(patient));
            return Err(ApplyError::from(tampering).into());
        }
        // A concurrent transaction has created the patient since the plan was made: the next
        // attempt finds it.
        Err(WriteError::Conflict)
    }
}

/// Maps the error of an insertion under the owner's lock. No concurrent transaction can have
/// inserted the same row, so that a unique violation reveals an orphan: a stored row whose owner or
/// head is hidden.
///
/// A resource's id is the exception: transactions of two owners may insert it at once.
pub(super) fn orphan_is_tampering(
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

/// The types of the resources that are created under ids that the client chose.
fn kinds_of_named<'c>(heads: &[&'c HeadChange]) -> BTreeSet<&'c str> {
    let named = heads
        .iter()
        .filter(|it| it.removed.is_none() && !it.has_new_id);
    named.map(|change| change.added.kind).collect()
}

/// The changes of heads by owner, in ascending order.
fn by_owner(organization: OrganizationId, rows: &SealedRows) -> BTreeMap<Owner, Vec<&HeadChange>> {
    let mut owners: BTreeMap<Owner, Vec<&HeadChange>> = BTreeMap::new();
    for change in &rows.heads {
        owners
            .entry(owner_of(organization, change.patient))
            .or_default()
            .push(change);
    }
    owners
}

impl From<LockError> for WriteError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Database(error) => error.into(),
            LockError::Open(error) => Self::Final(error.into()),
        }
    }
}

/// Maps the error of an owner that cannot be locked; [`WriteError::Destroyed`] for one whose data
/// was destroyed.
fn lock_error(owner: Owner) -> impl Fn(LockError) -> WriteError {
    move |error| {
        if let LockError::Open(OpenError::Key(KeyError::Destroyed)) = error {
            WriteError::Destroyed(owner)
        } else {
            error.into()
        }
    }
}
