//! Reading a patient's whole chart.

use access::{Disclosed, Permitted, Read, Record, Unsuccessful, disclose, record_unsuccessful};
use db::CurrentVersion;
use phi::{OrganizationId, Owner, PatientId, Tampering};

use super::{Records, StoredResource, chart_subject, ensure_whole, head_of};
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use fhir::ResourceType;

/// Attempts to read a chart between two writes to it.
const ATTEMPTS: usize = 5;

/// Every current resource that a patient owns.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The Patient.
    pub(crate) patient: StoredResource,
    /// The other resources, in no particular order.
    pub(crate) records: Vec<StoredResource>,
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
        let Some(stored) = self.heads_of(organization, patient).await? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let is_patient = |it: &StoredResource| it.resource.resource_type() == ResourceType::Patient;
        let (itself, records): (Vec<_>, Vec<_>) = stored.into_iter().partition(is_patient);
        let itself = itself.into_iter().next().ok_or(ServiceError::NotFound)?;
        let chart = Chart {
            patient: itself,
            records,
        };
        let subject = chart_subject(organization).patient(patient);
        let record = Record::from(subject.id(patient.uuid()));
        Ok(disclose(&self.trail, permitted, &[record], chart).await?)
    }

    /// The current version of everything that a patient owns, complete: what is missing or was put back is found by
    /// the owner's counts and hashes. Nothing, if neither the owner nor any resource exists.
    async fn heads_of(
        &self,
        organization: OrganizationId,
        patient: PatientId,
    ) -> Result<Option<Vec<StoredResource>>, ServiceError> {
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
            let stored = self.open_all(organization, owner, current).await?;
            let heads = stored.iter().map(|it| {
                let kind = it.resource.resource_type().name();
                head_of(kind, it.resource.id().unwrap_or_default(), it)
            });
            if open.has_exactly(heads) {
                return Ok(Some(stored));
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

    /// Opens the versions of one owner, with their keys fetched at once.
    pub(super) async fn open_all(
        &self,
        organization: OrganizationId,
        owner: Owner,
        current: Vec<CurrentVersion>,
    ) -> Result<Vec<StoredResource>, ServiceError> {
        let wanted = current.iter().filter_map(|it| it.version.body.key_id());
        let wanted: Vec<_> = wanted.map(|key| (owner, key)).collect();
        self.keys.prefetch(organization, wanted).await?;
        let mut stored = Vec::with_capacity(current.len());
        for version in current {
            stored.push(self.open(organization, version).await?);
        }
        Ok(stored)
    }
}
