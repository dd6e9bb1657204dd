//! The heads that a write locks: those of the resources that it changes, and those of the Patients in whose charts it
//! stores resources. The owners' rows are locked before.

use std::collections::BTreeSet;

use db::LockedHead;
use db::ResourceKey;
use fhir::ResourceType;
use phi::OrganizationId;
use phi::Owner;
use uuid::Uuid;

use super::ApplyError;
use super::Change;
use super::Records;
use super::plan::WritePlan;
use super::resource_key;
use super::write_error::WriteError;
use crate::services::owners::verify_newest;

/// The keys of the heads to be locked. No head exists under a new id.
pub(super) fn locked_keys(changes: &[Change<'_>], plan: &WritePlan) -> Vec<ResourceKey> {
    let known = changes.iter().filter(|change| !change.has_new_id());
    let targets = known.map(|change| resource_key(change.resource_type, change.id));
    let charts = charts(changes, plan).into_iter();
    let patients = charts.map(|patient| resource_key(ResourceType::Patient, patient));
    targets.chain(patients).collect()
}

/// The patients in whose charts resources are written, without those that are written themselves.
fn charts(changes: &[Change<'_>], plan: &WritePlan) -> BTreeSet<Uuid> {
    let is_patient = |change: &&Change<'_>| change.resource_type == ResourceType::Patient;
    let written: BTreeSet<_> = changes.iter().filter(is_patient).map(|it| it.id).collect();
    let steps = plan.steps_of(changes);
    let stored = steps.filter(|(_, step)| step.effect.writes());
    let charts = stored.filter_map(|(change, _)| change.chart());
    charts
        .filter(|patient| !written.contains(patient))
        .collect()
}

impl Records {
    /// Verifies the locked heads: the plan is based on them, each that is replaced is the newest on record, and the
    /// Patients of the charts are stored and not deleted.
    pub(super) async fn verify_locked(
        &self,
        changes: &[Change<'_>],
        plan: &WritePlan,
        locked: &[LockedHead],
    ) -> Result<(), WriteError> {
        if !plan.is_current(changes, locked) {
            return Err(WriteError::Conflict);
        }
        let replaced = plan.steps.iter().filter_map(|step| step.replaced.as_ref());
        let replaced: BTreeSet<_> = replaced.map(|head| head.row_id.uuid()).collect();
        for locked in locked {
            if replaced.contains(&locked.head.row_id.uuid()) {
                verify_newest(locked).map_err(ApplyError::from)?;
            }
        }
        for patient in charts(changes, plan) {
            self.verify_chart(plan.organization, patient, locked)
                .await?;
        }
        Ok(())
    }

    /// Verifies that a chart is that of a patient that exists.
    async fn verify_chart(
        &self,
        organization: OrganizationId,
        patient: Uuid,
        locked: &[LockedHead],
    ) -> Result<(), WriteError> {
        let name = ResourceType::Patient.name();
        let is_patient = |it: &&LockedHead| it.head.kind == name && it.head.id == patient;
        let locked = locked.iter().find(is_patient);
        let locked = locked.ok_or(WriteError::UnverifiedOwner)?;
        let head = self.keys.verify(organization, locked.head.clone()).await;
        let head = head.map_err(ApplyError::from)?;
        verify_newest(locked).map_err(ApplyError::from)?;
        let owner = head.owner().map_err(ApplyError::from)?;
        if owner == Owner::Patient(patient.into()) && head.deleted.is_none() {
            Ok(())
        } else {
            Err(WriteError::UnverifiedOwner)
        }
    }
}
