//! Planning of a write: the effect of each change, by comparison with the stored resources.

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
use super::Content;
use super::Effect;
use super::Records;
use super::Refusal;
use super::RefusalReason;
use super::batch_read::KeyBatch;
use super::open::OpenVersion;
use super::owner_of;
use super::resource_key;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::ResourceType;
use fhir::VersionMeta;

/// The planned effect of one change.
#[derive(Clone, Debug)]
pub(super) struct PlannedChange {
    /// The effect.
    pub(super) effect: Effect,
    /// The version that the resource will have.
    pub(super) version: u32,
    /// The verified head that is replaced; none for a new resource.
    pub(super) replaced: Option<ResourceRow>,
    /// The time at which the current version was stored, if it stays.
    stored_at: Option<OffsetDateTime>,
}

/// The planned effects of a write's changes, and the heads on which the plan is based.
#[derive(Debug)]
pub(super) struct WritePlan {
    /// One step for each change, in the same order.
    pub(super) steps: Vec<PlannedChange>,
    /// The MACs of the heads that were read.
    head_macs: HashMap<(String, Uuid), [u8; 32]>,
}

impl WritePlan {
    /// Whether the locked heads of the same resources are those on which the plan is based.
    pub(super) fn is_current(&self, locked: &[ResourceRow]) -> bool {
        locked.len() == self.head_macs.len()
            && locked.iter().all(|head| {
                let planned = self.head_macs.get(&(head.kind.clone(), head.id));
                planned.is_some_and(|mac| mac == head.mac.as_bytes())
            })
    }

    /// The result of each change, written at `now`.
    pub(super) fn applied(&self, now: OffsetDateTime) -> Vec<Applied> {
        let applied = |step: &PlannedChange| Applied {
            effect: step.effect,
            meta: VersionMeta {
                version: u64::from(step.version),
                last_updated: step.stored_at.unwrap_or(now),
            },
        };
        self.steps.iter().map(applied).collect()
    }
}

/// The error of reading a patient's head.
enum HeadError {
    /// The patient's data was destroyed.
    Destroyed,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for HeadError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The effect of a change to a resource that is not stored.
fn plan_absent(change: &Change<'_>) -> Result<PlannedChange, RefusalReason> {
    if !change.precondition.holds(None) {
        return Err(change.precondition_refusal());
    }
    Ok(match change.content {
        Content::Whole { .. } => PlannedChange {
            effect: Effect::Created,
            version: 1,
            replaced: None,
            stored_at: None,
        },
        Content::Deleted => PlannedChange {
            effect: Effect::Absent,
            version: 0,
            replaced: None,
            stored_at: None,
        },
    })
}

impl Records {
    /// Plans `changes`.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Refused`] with every change that contradicts the stored resources or the other
    /// changes.
    pub(super) async fn plan(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
    ) -> Result<WritePlan, ApplyError> {
        let keys: Vec<_> = changes
            .iter()
            .map(|change| resource_key(change.resource_type, change.id))
            .collect();
        let mut head_macs = HashMap::new();
        let mut refused = BTreeMap::new();
        let mut steps = Vec::with_capacity(changes.len());
        for batch in self.key_batches(organization, &keys, usize::MAX).await? {
            let first = batch.range.start;
            let changes = changes.get(batch.range.clone()).unwrap_or_default();
            let compared = self.compare_batch(organization, changes, &keys, &batch, &mut head_macs);
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
        self.refuse_unknown_owners(organization, changes, &mut head_macs, &mut refused)
            .await?;
        if !refused.is_empty() {
            let refusals = refused
                .into_iter()
                .map(|(change, reason)| Refusal { change, reason });
            return Err(ApplyError::Refused(refusals.collect()));
        }
        let steps = steps.into_iter().flatten().collect();
        Ok(WritePlan { steps, head_macs })
    }

    /// The effects of the changes of a batch, in the same order. Adds the MACs of the heads that
    /// were read to `head_macs`.
    async fn compare_batch(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        keys: &[ResourceKey],
        batch: &KeyBatch,
        head_macs: &mut HashMap<(String, Uuid), [u8; 32]>,
    ) -> Result<Vec<Result<PlannedChange, RefusalReason>>, ServiceError> {
        let Some(first) = changes.first() else {
            return Ok(Vec::new());
        };
        let caller = CallerId::of(first.permitted.caller());
        let sealed = self.read_batch(organization, caller, keys, batch).await?;
        // The rows' memory stays reserved until all are compared.
        let (rows, _reserved) = sealed.into_parts();
        let mut stored: HashMap<(String, Uuid), CurrentVersion> = rows
            .into_iter()
            .map(|row| ((row.head.kind.clone(), row.head.id), row))
            .collect();
        let macs = stored.iter();
        head_macs.extend(macs.map(|(key, row)| (key.clone(), *row.head.mac.as_bytes())));
        let mut steps = Vec::with_capacity(changes.len());
        for change in changes {
            let row = stored.remove(&(change.resource_type.name().to_owned(), change.id));
            steps.push(match row {
                None => plan_absent(change),
                Some(row) => self.compare(organization, change, row).await?,
            });
        }
        Ok(steps)
    }

    /// The effect of a change to a stored resource, which may be deleted.
    async fn compare(
        &self,
        organization: OrganizationId,
        change: &Change<'_>,
        current: CurrentVersion,
    ) -> Result<Result<PlannedChange, RefusalReason>, ServiceError> {
        let head = current.head.clone();
        let is_deleted = head.deleted.is_some();
        let version = u64::from(head.version);
        if !change.precondition.holds((!is_deleted).then_some(version)) {
            return Ok(Err(change.precondition_refusal()));
        }
        let next = |effect| match head.version.checked_add(1) {
            Some(version) => Ok(PlannedChange {
                effect,
                version,
                replaced: Some(head.clone()),
                stored_at: None,
            }),
            None => Err(RefusalReason::TooManyVersions),
        };
        let caller = CallerId::of(change.permitted.caller());
        let opened = self.open_current(organization, caller, current).await?;
        if opened.owner() != owner_of(organization, change.owner) {
            return Ok(Err(RefusalReason::OwnerChanged));
        }
        let unwritten = |effect| {
            Ok(PlannedChange {
                effect,
                version: head.version,
                replaced: None,
                stored_at: Some(head.updated_at),
            })
        };
        Ok(match (&change.content, &opened) {
            (Content::Whole { create: true, .. }, _) => Err(RefusalReason::AlreadyExists),
            (Content::Whole { .. }, OpenVersion::Deleted(_)) => next(Effect::Created),
            (Content::Deleted, OpenVersion::Deleted(_)) => unwritten(Effect::Absent),
            (Content::Deleted, OpenVersion::Live(_)) => next(Effect::Deleted),
            (Content::Whole { resource, .. }, OpenVersion::Live(stored)) => {
                if *stored.resource.to_bytes() == *resource.to_bytes() {
                    unwritten(Effect::Unchanged)
                } else {
                    next(Effect::Amended)
                }
            }
        })
    }

    /// Refuses every change whose owning patient is neither stored nor written by a change that is
    /// not refused.
    async fn refuse_unknown_owners(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        head_macs: &mut HashMap<(String, Uuid), [u8; 32]>,
        refused: &mut BTreeMap<usize, RefusalReason>,
    ) -> Result<(), ServiceError> {
        let patients = changes.iter().enumerate();
        let mut owners: HashMap<Uuid, Option<RefusalReason>> = patients
            .filter(|(index, change)| {
                change.resource_type == ResourceType::Patient && !refused.contains_key(index)
            })
            .map(|(_, change)| {
                // A Patient that the same request deletes owns nothing more.
                let is_stored = change.stores_patient();
                let reason = (!is_stored).then_some(RefusalReason::UnknownOwner);
                (change.id, reason)
            })
            .collect();
        for (index, change) in changes.iter().enumerate() {
            // A deletion needs no owner that exists.
            let is_checked = change.resource().is_some() && !refused.contains_key(&index);
            let Some(owner) = change.owner.filter(|_| is_checked) else {
                continue;
            };
            let known = owners.get(&owner).copied();
            let reason = match known {
                Some(reason) => reason,
                None => self.owner_refusal(organization, owner, head_macs).await?,
            };
            owners.insert(owner, reason);
            if let Some(reason) = reason {
                refused.insert(index, reason);
            }
        }
        Ok(())
    }

    /// The reason why no resource of a patient can be stored, if there is one. Adds the MAC of the
    /// Patient's head to `head_macs`.
    async fn owner_refusal(
        &self,
        organization: OrganizationId,
        patient: Uuid,
        head_macs: &mut HashMap<(String, Uuid), [u8; 32]>,
    ) -> Result<Option<RefusalReason>, ServiceError> {
        let head = match self.patient_head(organization, patient).await {
            Ok(head) => head,
            Err(HeadError::Destroyed) => return Ok(Some(RefusalReason::OwnerDestroyed)),
            Err(HeadError::Service(error)) => return Err(error),
        };
        let Some(head) = head else {
            return Ok(Some(RefusalReason::UnknownOwner));
        };
        let head = self.keys.verify(organization, head).await?;
        head_macs.insert((head.kind.clone(), head.id), *head.mac.as_bytes());
        let is_own = head.owner()? == Owner::Patient(patient.into());
        let is_live = is_own && head.deleted.is_none();
        Ok((!is_live).then_some(RefusalReason::UnknownOwner))
    }

    /// The head of a patient; none if the patient has no owner row either.
    async fn patient_head(
        &self,
        organization: OrganizationId,
        patient: Uuid,
    ) -> Result<Option<ResourceRow>, HeadError> {
        let key = resource_key(ResourceType::Patient, patient);
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
            return Err(HeadError::Destroyed);
        }
        opened?;
        // Owner and head were committed together, possibly between the first two statements. A head
        // that is still missing is hidden.
        let head = self.database.resource(organization, &key).await?;
        let head = head.ok_or_else(|| {
            let reason = "the head of a patient that has an owner is missing";
            Tampering::report("resources", reason, organization, Some(patient))
        })?;
        Ok(Some(head))
    }
}
