//! Planning: what changes amount to, compared with what is stored.

use std::collections::{HashMap, HashSet};

use db::{CurrentVersion, ResourceRow};
use phi::{OrganizationId, Owner, PatientId, Tampering};
use time::OffsetDateTime;
use uuid::Uuid;

use super::owners::gone;
use super::{Applied, ApplyError, Change, Effect, Records, key_of, owner_of};
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::{ResourceType, VersionMeta};

/// What one change amounts to.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The effect.
    pub(super) effect: Effect,
    /// The version that the resource will have.
    pub(super) version: u32,
    /// The head that is replaced, verified; none for a new resource.
    pub(super) replaced: Option<ResourceRow>,
    /// The time at which the version was stored, if nothing changes.
    stored_at: Option<OffsetDateTime>,
}

/// What changes amount to, and the versions that this was decided on.
#[derive(Debug)]
pub(super) struct Plan {
    /// One step for each change, in the same order.
    pub(super) steps: Vec<Step>,
    /// The MACs of the heads that were read.
    seen: HashMap<(String, Uuid), [u8; 32]>,
}

impl Plan {
    /// Whether `locked`, the heads of the same resources, are those that the plan was made on.
    pub(super) fn is_current(&self, locked: &[ResourceRow]) -> bool {
        locked.len() == self.seen.len()
            && locked.iter().all(|head| {
                let seen = self.seen.get(&(head.kind.clone(), head.id));
                seen.is_some_and(|mac| mac == head.mac.as_bytes())
            })
    }

    /// The result of each change, done at `now`.
    pub(super) fn applied(&self, now: OffsetDateTime) -> Vec<Applied> {
        let applied = |step: &Step| Applied {
            effect: step.effect,
            meta: VersionMeta {
                version: u64::from(step.version),
                last_updated: step.stored_at.unwrap_or(now),
            },
        };
        self.steps.iter().map(applied).collect()
    }
}

impl Records {
    /// Compares `changes` with what is stored.
    pub(super) async fn plan(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
    ) -> Result<Plan, ApplyError> {
        let keys: Vec<_> = changes
            .iter()
            .map(|change| key_of(change.resource_type, change.id))
            .collect();
        let stored = self.database.current_versions(organization, &keys).await?;
        let mut stored: HashMap<(String, Uuid), CurrentVersion> = stored
            .into_iter()
            .map(|row| ((row.head.kind.clone(), row.head.id), row))
            .collect();
        let seen = stored
            .iter()
            .map(|(key, row)| (key.clone(), *row.head.mac.as_bytes()))
            .collect();
        self.owners_exist(organization, changes).await?;
        let mut steps = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let row = stored.remove(&(change.resource_type.name().to_owned(), change.id));
            steps.push(match row {
                None => Step {
                    effect: Effect::Created,
                    version: 1,
                    replaced: None,
                    stored_at: None,
                },
                Some(row) => self.compare(organization, change, index, row).await?,
            });
        }
        Ok(Plan { steps, seen })
    }

    /// What a change to a stored resource amounts to.
    async fn compare(
        &self,
        organization: OrganizationId,
        change: &Change<'_>,
        index: usize,
        current: CurrentVersion,
    ) -> Result<Step, ApplyError> {
        if change.create {
            return Err(ApplyError::AlreadyThere(index));
        }
        let head = current.head.clone();
        let stored = self.open(organization, current).await?;
        if stored.owner != owner_of(organization, change.owner) {
            return Err(ApplyError::OwnerChanged(index));
        }
        let version = head.version;
        if *stored.resource.to_bytes() == *change.resource.to_bytes() {
            return Ok(Step {
                effect: Effect::Unchanged,
                version,
                replaced: None,
                stored_at: Some(stored.meta.last_updated),
            });
        }
        let version = version
            .checked_add(1)
            .ok_or(ServiceError::Conflict("too many versions"))?;
        Ok(Step {
            effect: Effect::Amended,
            version,
            replaced: Some(head),
            stored_at: None,
        })
    }

    /// Checks that every owning patient is stored, or is written by the same changes.
    async fn owners_exist(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
    ) -> Result<(), ApplyError> {
        let mut known: HashSet<Uuid> = changes
            .iter()
            .filter(|change| change.resource_type == ResourceType::Patient)
            .map(|change| change.id)
            .collect();
        for (index, change) in changes.iter().enumerate() {
            let Some(owner) = change.owner else { continue };
            if known.contains(&owner) {
                continue;
            }
            let head = self.patient_head(organization, owner).await?;
            let head = head.ok_or(ApplyError::UnknownOwner(index))?;
            let head = self.keys.verify(organization, head).await?;
            if head.owner()? != Owner::Patient(owner.into()) {
                return Err(ApplyError::UnknownOwner(index));
            }
            known.insert(owner);
        }
        Ok(())
    }

    /// The head of a patient; none if the patient has no owner either.
    async fn patient_head(
        &self,
        organization: OrganizationId,
        patient: Uuid,
    ) -> Result<Option<ResourceRow>, ServiceError> {
        let key = key_of(ResourceType::Patient, patient);
        let head = self.database.resource(organization, &key).await?;
        if head.is_some() {
            return Ok(head);
        }
        let owner = Owner::Patient(PatientId::from_uuid(patient));
        let row = self.database.owner(organization, &owner).await?;
        if row.is_none() {
            return Ok(None);
        }
        let opened = OpenOwner::open(&self.keys, organization, owner, row).await;
        opened.map_err(gone)?;
        // The owner was committed together with the head: it is there now, or hidden.
        let head = self.database.resource(organization, &key).await?;
        let head = head.ok_or_else(|| {
            let reason = "the head of a patient that has an owner is missing";
            Tampering::report("resources", reason, organization, Some(patient))
        })?;
        Ok(Some(head))
    }
}
