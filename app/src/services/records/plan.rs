//! Planning of a write: the effect of each change, by comparison with the stored resources.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use db::CurrentVersion;
use db::LockedHead;
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
use super::planned_change::EffectResult;
use super::planned_change::PlannedChange;
use super::planned_change::holds;
use super::planned_change::next_version;
use super::planned_change::plan_absent;
use super::planned_change::plan_deletion;
use super::planned_change::unwritten;
use super::resource_key;
use super::write_error::WriteError;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::ResourceType;
use fhir::VersionMeta;

/// An attempt at a write, which decides what a plan reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Attempt {
    /// The first one reads little. Deletions rely on the heads that were read for them; the transaction, which locks
    /// heads and owners, detects what has changed since, and owners that do not exist.
    First,
    /// A further one, after a conflict or because an owner was not found, reads all: changes without an owner are refused.
    Further,
}

/// The planned effects of a write's changes, and the heads on which the plan is based.
#[derive(Debug)]
pub(super) struct WritePlan {
    /// The organization.
    pub(super) organization: OrganizationId,
    /// One step for each change, in the same order.
    pub(super) steps: Vec<PlannedChange>,
    /// The attempt.
    attempt: Attempt,
    /// The MACs of the heads that were read.
    head_macs: HashMap<(String, Uuid), [u8; 32]>,
}

impl WritePlan {
    /// The changes with their steps.
    pub(super) fn steps_of<'p, 'c, 'a>(
        &'p self,
        changes: &'c [Change<'a>],
    ) -> impl Iterator<Item = (&'c Change<'a>, &'p PlannedChange)> {
        changes.iter().zip(&self.steps)
    }

    /// Whether the locked heads of the changed resources are those on which the plan is based.
    pub(super) fn is_current(&self, changes: &[Change<'_>], locked: &[LockedHead]) -> bool {
        let targets = changes.iter().map(|it| (it.resource_type.name(), it.id));
        let targets: HashSet<_> = targets.collect();
        let heads = locked.iter().map(|it| &it.head);
        let of_plan: Vec<_> = heads
            .filter(|head| targets.contains(&(head.kind.as_str(), head.id)))
            .collect();
        of_plan.len() == self.head_macs.len()
            && of_plan.into_iter().all(|head| {
                let planned = self.head_macs.get(&(head.kind.clone(), head.id));
                planned.is_some_and(|mac| mac == head.mac.as_bytes())
            })
    }

    /// The error of a missing row of an owner: tampering, unless the plan does not know that the owner exists.
    pub(super) fn missing_owner_row(&self, report: impl FnOnce() -> Tampering) -> WriteError {
        match self.attempt {
            Attempt::First => WriteError::UnverifiedOwner,
            Attempt::Further => ApplyError::from(report()).into(),
        }
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

/// The planned effect of a change, or the refusal of the change.
type PlanResult = Result<PlannedChange, StoredRefusal>;

/// The reason for the refusal of a change, and the owner of the stored resource, if it was read.
type StoredRefusal = (RefusalReason, Option<Owner>);

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
        attempt: Attempt,
    ) -> Result<WritePlan, ApplyError> {
        let mut head_macs = HashMap::new();
        let mut refused = BTreeMap::new();
        let mut steps = Vec::with_capacity(changes.len());
        let planned = self.compare_all(organization, changes, attempt, &mut head_macs);
        for (index, step) in planned.await? {
            steps.push(match step {
                Ok(step) => Some(step),
                Err((reason, stored_owner)) => {
                    let refusal = Refusal {
                        change: index,
                        reason,
                        stored_owner,
                    };
                    refused.insert(index, refusal);
                    None
                }
            });
        }
        self.refuse_taken_numbers(organization, changes, &steps, &mut refused)
            .await?;
        self.refuse_unknown_owners(organization, changes, attempt, &mut refused)
            .await?;
        if !refused.is_empty() {
            return Err(ApplyError::Refused(refused.into_values().collect()));
        }
        Ok(WritePlan {
            organization,
            steps: steps.into_iter().flatten().collect(),
            attempt,
            head_macs,
        })
    }

    /// The effect of each change, by its index. Adds the MACs of the heads that were read to `head_macs`.
    async fn compare_all(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        attempt: Attempt,
        head_macs: &mut HashMap<(String, Uuid), [u8; 32]>,
    ) -> Result<BTreeMap<usize, PlanResult>, ServiceError> {
        let mut results = BTreeMap::new();
        let mut known = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            match &change.basis {
                // Under a new id nothing can be stored, so that nothing is read.
                _ if change.has_new_id() => {
                    let planned = plan_absent(change).map_err(|reason| (reason, None));
                    results.insert(index, planned);
                }
                Some(head) if attempt == Attempt::First => {
                    head_macs.insert((head.kind.clone(), head.id), *head.mac.as_bytes());
                    // The owner of the change is that of the stored resource.
                    let planned = plan_deletion(change, head).map_err(|reason| (reason, None));
                    results.insert(index, planned);
                }
                Some(_) | None => known.push((index, change)),
            }
        }
        let keys: Vec<_> = known
            .iter()
            .map(|(_, change)| resource_key(change.resource_type, change.id))
            .collect();
        for batch in self.key_batches(organization, &keys, usize::MAX).await? {
            let known = known.get(batch.range.clone()).unwrap_or_default();
            let compared = self.compare_batch(organization, known, &keys, &batch, head_macs);
            let indexes = known.iter().map(|(index, _)| *index);
            results.extend(indexes.zip(compared.await?));
        }
        Ok(results)
    }

    /// The effects of the changes of a batch, in the same order. Adds the MACs of the heads that
    /// were read to `head_macs`.
    async fn compare_batch(
        &self,
        organization: OrganizationId,
        changes: &[(usize, &Change<'_>)],
        keys: &[ResourceKey],
        batch: &KeyBatch,
        head_macs: &mut HashMap<(String, Uuid), [u8; 32]>,
    ) -> Result<Vec<PlanResult>, ServiceError> {
        let Some((_, first)) = changes.first() else {
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
        for (_, change) in changes {
            let row = stored.remove(&(change.resource_type.name().to_owned(), change.id));
            steps.push(match row {
                None => plan_absent(change).map_err(|reason| (reason, None)),
                Some(row) => {
                    let (owner, step) = self.compare(organization, change, row).await?;
                    step.map_err(|reason| (reason, Some(owner)))
                }
            });
        }
        Ok(steps)
    }

    /// The owner of a stored resource, which may be deleted, and the effect of a change to it.
    async fn compare(
        &self,
        organization: OrganizationId,
        change: &Change<'_>,
        current: CurrentVersion,
    ) -> Result<(Owner, EffectResult), ServiceError> {
        let head = current.head.clone();
        let caller = CallerId::of(change.permitted.caller());
        let opened = self.open_current(organization, caller, current).await?;
        let owner = opened.owner();
        if !holds(change, &head) {
            return Ok((owner, Err(change.precondition_refusal())));
        }
        if owner != owner_of(organization, change.owner) {
            return Ok((owner, Err(RefusalReason::OwnerChanged)));
        }
        let Content::Whole { resource, mode } = &change.content else {
            return Ok((owner, plan_deletion(change, &head)));
        };
        let step = match &opened {
            _ if mode.is_create() => Err(RefusalReason::AlreadyExists),
            OpenVersion::Deleted(_) => next_version(Effect::Created, &head),
            OpenVersion::Live(stored) if *stored.resource.to_bytes() == *resource.to_bytes() => {
                Ok(unwritten(Effect::Unchanged, &head))
            }
            OpenVersion::Live(_) => next_version(Effect::Amended, &head),
        };
        Ok((owner, step))
    }

    /// Refuses every change whose owning patient is neither written by a change that is not refused
    /// nor stored. The first attempt does not read whether the patient is stored.
    async fn refuse_unknown_owners(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        attempt: Attempt,
        refused: &mut BTreeMap<usize, Refusal>,
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
            let is_checked = !refused.contains_key(&index);
            let Some(owner) = change.chart().filter(|_| is_checked) else {
                continue;
            };
            let known = owners.get(&owner).copied();
            let reason = match known {
                Some(reason) => reason,
                None if attempt == Attempt::First => None,
                None => self.owner_refusal(organization, owner).await?,
            };
            owners.insert(owner, reason);
            if let Some(reason) = reason {
                refused.insert(index, Refusal::new(index, reason));
            }
        }
        Ok(())
    }

    /// The reason why no resource of a patient can be stored, if there is one.
    async fn owner_refusal(
        &self,
        organization: OrganizationId,
        patient: Uuid,
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
