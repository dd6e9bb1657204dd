//! Planning: what changes amount to, compared with what is stored.

use std::collections::BTreeMap;
use std::collections::HashMap;

use db::CurrentVersion;
use db::ResourceKey;
use db::ResourceRow;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Applied;
use super::ApplyError;
use super::Change;
use super::Effect;
use super::Records;
use super::Refusal;
use super::RefusalReason;
use super::key_of;
use super::owner_of;
use super::reading::KeyGroup;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::ResourceType;
use fhir::VersionMeta;

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

/// Why a patient's head was not read.
enum OwnerError {
    /// The patient's data was destroyed.
    Destroyed,
    /// Another reason.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for OwnerError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl Records {
    /// Compares `changes` with what is stored.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Refused`] with every change that contradicts it, as if the others were made.
    pub(super) async fn plan(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
    ) -> Result<Plan, ApplyError> {
        let keys: Vec<_> = changes
            .iter()
            .map(|change| key_of(change.resource_type, change.id))
            .collect();
        let mut seen = HashMap::new();
        let mut refused = BTreeMap::new();
        let mut steps = Vec::with_capacity(changes.len());
        for group in self.key_groups(organization, &keys, usize::MAX).await? {
            let first = group.range.start;
            let changes = changes.get(group.range.clone()).unwrap_or_default();
            let compared = self.compare_group(organization, changes, &keys, &group, &mut seen);
            for (index, step) in (first..).zip(compared.await?) {
                steps.push(match step {
                    Ok(step) => Some(step),
                    Err(reason) => {
                        refused.insert(index, reason);
                        None
                    }
                });
            }
        }
        self.refuse_taken_numbers(organization, changes, &steps, &mut refused)
            .await?;
        self.refuse_unknown_owners(organization, changes, &mut refused)
            .await?;
        if !refused.is_empty() {
            let refusals = refused
                .into_iter()
                .map(|(change, reason)| Refusal { change, reason });
            return Err(ApplyError::Refused(refusals.collect()));
        }
        let steps = steps.into_iter().flatten().collect();
        Ok(Plan { steps, seen })
    }

    /// What the changes of a group amount to, in the same order. Adds the MACs of the heads that were read to `seen`.
    async fn compare_group(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        keys: &[ResourceKey],
        group: &KeyGroup,
        seen: &mut HashMap<(String, Uuid), [u8; 32]>,
    ) -> Result<Vec<Result<Step, RefusalReason>>, ServiceError> {
        let Some(first) = changes.first() else {
            return Ok(Vec::new());
        };
        let share = Share::of(first.permitted.caller());
        let sealed = self.read_group(organization, share, keys, group).await?;
        // The memory of the rows is reserved until all are compared.
        let (rows, _reserved) = sealed.into_parts();
        let mut stored: HashMap<(String, Uuid), CurrentVersion> = rows
            .into_iter()
            .map(|row| ((row.head.kind.clone(), row.head.id), row))
            .collect();
        let macs = stored.iter();
        seen.extend(macs.map(|(key, row)| (key.clone(), *row.head.mac.as_bytes())));
        let mut steps = Vec::with_capacity(changes.len());
        for change in changes {
            let row = stored.remove(&(change.resource_type.name().to_owned(), change.id));
            steps.push(match row {
                None => Ok(Step {
                    effect: Effect::Created,
                    version: 1,
                    replaced: None,
                    stored_at: None,
                }),
                Some(row) => self.compare(organization, change, row).await?,
            });
        }
        Ok(steps)
    }

    /// What a change to a stored resource amounts to.
    async fn compare(
        &self,
        organization: OrganizationId,
        change: &Change<'_>,
        current: CurrentVersion,
    ) -> Result<Result<Step, RefusalReason>, ServiceError> {
        if change.create {
            return Ok(Err(RefusalReason::AlreadyThere));
        }
        let head = current.head.clone();
        let share = Share::of(change.permitted.caller());
        let stored = self.open(organization, share, current).await?;
        if stored.owner != owner_of(organization, change.owner) {
            return Ok(Err(RefusalReason::OwnerChanged));
        }
        let version = head.version;
        if *stored.resource.to_bytes() == *change.resource.to_bytes() {
            return Ok(Ok(Step {
                effect: Effect::Unchanged,
                version,
                replaced: None,
                stored_at: Some(stored.meta.last_updated),
            }));
        }
        let Some(version) = version.checked_add(1) else {
            return Ok(Err(RefusalReason::TooManyVersions));
        };
        Ok(Ok(Step {
            effect: Effect::Amended,
            version,
            replaced: Some(head),
            stored_at: None,
        }))
    }

    /// Refuses every change whose owning patient is neither stored nor written by the changes that are not refused.
    async fn refuse_unknown_owners(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        refused: &mut BTreeMap<usize, RefusalReason>,
    ) -> Result<(), ServiceError> {
        let patients = changes.iter().enumerate();
        let mut owners: HashMap<Uuid, Option<RefusalReason>> = patients
            .filter(|(index, change)| {
                change.resource_type == ResourceType::Patient && !refused.contains_key(index)
            })
            .map(|(_, change)| (change.id, None))
            .collect();
        for (index, change) in changes.iter().enumerate() {
            let Some(owner) = change.owner.filter(|_| !refused.contains_key(&index)) else {
                continue;
            };
            let known = owners.get(&owner).copied();
            let reason = match known {
                Some(reason) => reason,
                None => self.refused_owner(organization, owner).await?,
            };
            owners.insert(owner, reason);
            if let Some(reason) = reason {
                refused.insert(index, reason);
            }
        }
        Ok(())
    }

    /// Why nothing can be stored for a patient, if nothing can.
    async fn refused_owner(
        &self,
        organization: OrganizationId,
        patient: Uuid,
    ) -> Result<Option<RefusalReason>, ServiceError> {
        let head = match self.patient_head(organization, patient).await {
            Ok(head) => head,
            Err(OwnerError::Destroyed) => return Ok(Some(RefusalReason::OwnerDestroyed)),
            Err(OwnerError::Service(error)) => return Err(error),
        };
        let Some(head) = head else {
            return Ok(Some(RefusalReason::UnknownOwner));
        };
        let head = self.keys.verify(organization, head).await?;
        let is_own = head.owner()? == Owner::Patient(patient.into());
        Ok((!is_own).then_some(RefusalReason::UnknownOwner))
    }

    /// The head of a patient; none if the patient has no owner either.
    async fn patient_head(
        &self,
        organization: OrganizationId,
        patient: Uuid,
    ) -> Result<Option<ResourceRow>, OwnerError> {
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
        if opened.as_ref().err() == Some(&OpenError::Key(KeyError::Destroyed)) {
            return Err(OwnerError::Destroyed);
        }
        opened?;
        // The owner was committed together with the head: it is there now, or hidden.
        let head = self.database.resource(organization, &key).await?;
        let head = head.ok_or_else(|| {
            let reason = "the head of a patient that has an owner is missing";
            Tampering::report("resources", reason, organization, Some(patient))
        })?;
        Ok(Some(head))
    }
}
