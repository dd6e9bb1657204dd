//! A patient's whole chart.

use audit::{Action, Outcome, RecordReference};
use phi::{Owner, PatientId};

use super::{Records, Stored, reference};
use crate::services::access::{OpenChart, Permitted};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use crate::services::ledger::Disclosed;
use fhir::ResourceType;

/// Everything current that a patient owns.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The Patient itself.
    pub(crate) patient: Stored,
    /// Everything else, in no particular order.
    pub(crate) records: Vec<Stored>,
}

impl Records {
    /// Opens a chart. The event says that the chart was opened, not which page of it was looked at.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also where the patient belongs to another organization; that the chart
    /// was asked for is recorded.
    pub(crate) async fn chart(
        &self,
        caller: &Caller,
        _permitted: &Permitted<OpenChart>,
        patient: PatientId,
    ) -> Result<Disclosed<Chart>, ServiceError> {
        let organization = caller.organization;
        let rows = self
            .database
            .current_versions_of(organization, patient.uuid())
            .await?;
        let now = self.clock.now();
        if rows.is_empty() {
            let record = reference(ResourceType::Patient, patient.uuid(), None, None);
            let event = caller.event(now, Action::Read, Outcome::NotFound, vec![record]);
            let _recorded = self
                .ledger
                .record(organization, caller.origin.source, event)
                .await?;
            return Err(ServiceError::NotFound);
        }
        let key = self.keys.authorization(organization).await?;
        let scope = self
            .keys
            .scope(organization, Owner::Patient(patient))
            .await?;
        let mut itself = None;
        let mut records = Vec::with_capacity(rows.len());
        for (head, version) in rows {
            let stored = Self::open(&key, &scope, head, version)?;
            if stored.resource.resource_type() == ResourceType::Patient {
                itself = Some(stored);
            } else {
                records.push(stored);
            }
        }
        let patient_itself = itself.ok_or(ServiceError::NotFound)?;
        let record = RecordReference {
            kind: "chart".to_owned(),
            id: Some(patient.uuid()),
            version: None,
            patient: Some(patient.uuid()),
        };
        let event = caller.event(now, Action::Read, Outcome::Success, vec![record]);
        let receipt = self
            .ledger
            .record(organization, caller.origin.source, event)
            .await?;
        Ok(receipt.disclose(Chart {
            patient: patient_itself,
            records,
        }))
    }
}
