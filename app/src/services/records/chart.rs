//! Reading a patient's whole chart.

use access::{Disclosed, Permitted, Read, Record, Unsuccessful, disclose, record_unsuccessful};
use db::CurrentVersion;
use phi::{Head, OrganizationId, Owner, PatientId, Tampering};

use super::{Records, StoredResource, chart_subject, ensure_whole, head_of};
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::{ResourceType, Summary};

/// Attempts to read a chart between two writes to it.
const ATTEMPTS: usize = 5;

/// Every current resource that a patient owns.
pub(crate) struct Chart {
    /// The Patient.
    pub(crate) patient: StoredResource,
    /// The other resources in a line each, in no particular order.
    pub(crate) records: Vec<(ResourceType, Summary)>,
}

impl Records {
    /// A patient's chart. The event says that the chart was opened, not which page of it was shown.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a patient of another organization; the attempt is recorded.
    pub(crate) async fn chart(
        &self,
        permitted: &Permitted<'_, Read>,
        patient: PatientId,
    ) -> Result<Disclosed<Chart>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let share = Share::of(permitted.caller());
        let Some(chart) = self.complete_chart(organization, share, patient).await? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let subject = chart_subject(organization).patient(patient);
        let record = Record::from(subject.id(patient.uuid()));
        Ok(disclose(&self.trail, permitted, &[record], chart).await?)
    }

    /// The current version of everything that a patient owns, complete: what is missing or was put back is found by
    /// the owner's counts and hashes. Nothing, if neither the owner nor any resource exists.
    async fn complete_chart(
        &self,
        organization: OrganizationId,
        share: Share,
        patient: PatientId,
    ) -> Result<Option<Chart>, ServiceError> {
        let owner = Owner::Patient(patient);
        let mut row = self.database.owner(organization, &owner).await?;
        for _ in 0..ATTEMPTS {
            let current = self
                .database
                .current_versions_of(organization, &owner)
                .await?;
            if row.is_none() {
                if current.is_empty() {
                    return Ok(None);
                }
                // Made between the two statements, or hidden: opening decides.
                row = self.database.owner(organization, &owner).await?;
                if row.is_some() {
                    continue;
                }
            }
            let before = row.as_ref().map(|row| *row.mac.as_bytes());
            let open = OpenOwner::open(&self.keys, organization, owner, row).await?;
            let (chart, heads) = self.summarize(organization, share, owner, current).await?;
            if open.has_exactly(heads) {
                return Ok(Some(chart.ok_or(ServiceError::NotFound)?));
            }
            // A write between the two statements changes the owner's row too.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == before {
                let reason = "the chart does not have the heads that its owner counts";
                let id = Some(patient.uuid());
                return Err(Tampering::report("resources", reason, organization, id).into());
            }
        }
        Err(ServiceError::unavailable(
            "the chart is being written by too many at once",
        ))
    }

    /// Opens the versions of one owner, with their keys fetched at once, and keeps a line of each: a chart may have ten
    /// megabytes, whose trees would have a hundred. Without a Patient there is no chart.
    async fn summarize(
        &self,
        organization: OrganizationId,
        share: Share,
        owner: Owner,
        current: Vec<CurrentVersion>,
    ) -> Result<(Option<Chart>, Vec<Head<'static>>), ServiceError> {
        let bytes = current.iter().map(|it| it.version.body.as_bytes().len());
        let _rows = self.memory.reserve(share, bytes.sum())?;
        let wanted = current.iter().filter_map(|it| it.version.body.key_id());
        let wanted: Vec<_> = wanted.map(|key| (owner, key)).collect();
        self.keys.prefetch(organization, wanted).await?;
        let mut heads = Vec::with_capacity(current.len());
        let (mut patient, mut records) = (None, Vec::with_capacity(current.len()));
        for version in current {
            let stored = self.open(organization, share, version).await?;
            let resource_type = stored.resource.resource_type();
            let id = stored.resource.id().unwrap_or_default();
            heads.push(head_of(resource_type.name(), id, &stored));
            if resource_type == ResourceType::Patient {
                patient = Some(stored);
            } else {
                records.push((resource_type, Summary::of(&stored.resource)));
            }
        }
        let chart = patient.map(|patient| Chart { patient, records });
        Ok((chart, heads))
    }
}
