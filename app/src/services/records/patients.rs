//! Lists of patients and searches for them, over the roster and the blind indexes.

use std::collections::HashMap;

use access::Disclosed;
use access::List;
use access::Permitted;
use access::Record;
use access::Search;
use access::disclose;
use db::DemographicsRow;
use db::DemographicsState;
use phi::Column;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Phi;
use phi::Requested;
use phi::Sealed;
use phi::Tampering;
use phi::Verified;
use phi::row_digest;
use roster::Order;
use zeroize::Zeroizing;

use super::Records;
use super::ensure_whole;
use super::subject;
use crate::limits::MAX_DEMOGRAPHICS_BYTES;
use crate::services::budget::Reservation;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use fhir::Demographics;
use fhir::ResourceType;
use fhir::search::PatientQuery;

/// Attempts to read demographics between two writes of them.
const ATTEMPTS: usize = 5;

/// A patient in a list.
pub(crate) struct PatientSummary {
    /// The patient.
    pub(crate) id: PatientId,
    /// The fields that a list shows; whether the patient has died is not among them.
    pub(crate) demographics: Demographics,
}

/// Some of the matching patients.
pub(crate) struct PatientPage {
    /// In the requested order.
    pub(crate) patients: Vec<PatientSummary>,
    /// The number of all matches.
    pub(crate) total: usize,
    /// The memory of the patients, and of the page that they become.
    pub(crate) reserved: Reservation,
}

impl Records {
    /// A page of the organization's patients.
    pub(crate) async fn list(
        &self,
        permitted: &Permitted<'_, List>,
        order: Order,
        skip: usize,
        take: usize,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let page = self.rosters.of(organization).await?.page(order, skip, take);
        let ids: Vec<_> = page.ids.into_iter().map(PatientId::from_uuid).collect();
        let share = Share::of(permitted.caller());
        let (patients, reserved) = self.summaries(organization, share, &ids).await?;
        let page = PatientPage {
            patients,
            total: page.total,
            reserved,
        };
        Ok(disclose(&self.trail, permitted, &records(organization, &ids), page).await?)
    }

    /// The patients that match a query, at most as many as it requests.
    pub(crate) async fn search(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &PatientQuery,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let share = Share::of(permitted.caller());
        let (ids, total) = self.matches(organization, share, query).await?;
        let (patients, reserved) = self.summaries(organization, share, &ids).await?;
        let page = PatientPage {
            patients,
            total,
            reserved,
        };
        Ok(disclose(&self.trail, permitted, &records(organization, &ids), page).await?)
    }

    /// The fields of these patients that a list shows, in the order of `ids`, and their memory.
    async fn summaries(
        &self,
        organization: OrganizationId,
        share: Share,
        ids: &[PatientId],
    ) -> Result<(Vec<PatientSummary>, Reservation), ServiceError> {
        // A row has each field by itself, and the names once more for the roster.
        let most = 2 * MAX_DEMOGRAPHICS_BYTES * ids.len();
        let reserved = self.memory.reserve(share, most)?;
        let current = self.current_demographics(organization, ids).await?;
        let wanted: Vec<_> = current
            .iter()
            .filter_map(|(row, _)| Some((Owner::Patient(row.patient), row.family.key_id()?)))
            .collect();
        self.keys.prefetch(organization, wanted).await?;
        let mut current: HashMap<_, _> = current
            .into_iter()
            .map(|(row, state)| (row.patient, (row, state)))
            .collect();
        let mut patients = Vec::with_capacity(ids.len());
        for id in ids {
            let Some((row, state)) = current.remove(id) else {
                let reason = "the demographics of a patient that the roster has are missing";
                let id = Some(id.uuid());
                return Err(Tampering::report("demographics", reason, organization, id).into());
            };
            let row = self.verify_current(organization, row, state).await;
            self.rosters.note(organization, *id, row.is_ok());
            let row = row?;
            let demographics = self.open_demographics(&row).await?;
            patients.push(PatientSummary {
                id: *id,
                demographics,
            });
        }
        Ok((patients, reserved))
    }

    /// The demographics of these patients, each with its state. They are two statements: what a write between them has
    /// replaced is read again.
    async fn current_demographics(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
    ) -> Result<Vec<(DemographicsRow, DemographicsState)>, ServiceError> {
        let mut before = None;
        for _ in 0..ATTEMPTS {
            let rows = self.database.demographics(organization, ids).await?;
            let states = self.database.demographics_states(organization, ids).await?;
            let mut read: Vec<_> = rows.iter().map(|row| row.row_id).collect();
            read.extend(states.iter().map(|state| state.row_id));
            let mut states: HashMap<_, _> = states
                .into_iter()
                .map(|state| ((state.patient, state.row_id), state))
                .collect();
            let paired: Option<Vec<_>> = rows
                .into_iter()
                .map(|row| {
                    let state = states.remove(&(row.patient, row.row_id))?;
                    Some((row, state))
                })
                .collect();
            if let Some(paired) = paired.filter(|_| states.is_empty()) {
                return Ok(paired);
            }
            if before.replace(read.clone()) == Some(read) {
                let reason = "demographics are not the ones that their state was read of";
                return Err(Tampering::report("demographics", reason, organization, None).into());
            }
        }
        Err(ServiceError::unavailable(
            "the patients are being written by too many at once",
        ))
    }

    /// Verifies a patient's demographics, and that they are the current ones: of the version that the Patient's head
    /// names, which is the newest, and both the newest on record. An older row has a MAC that verifies, too.
    async fn verify_current(
        &self,
        organization: OrganizationId,
        row: DemographicsRow,
        state: DemographicsState,
    ) -> Result<Verified<DemographicsRow>, ServiceError> {
        let head = self.keys.verify(organization, state.head).await?;
        let row = self.keys.verify(organization, row).await?;
        let is_newest = head.version == state.newest
            && state.head_recorded == Some(row_digest(&*head))
            && head.owner()? == Owner::Patient(row.patient);
        if !is_newest {
            let reason = "the head of a patient is not the newest on record";
            let id = Some(head.row_id.uuid());
            return Err(Tampering::report("resources", reason, organization, id).into());
        }
        if row.version != head.version || state.recorded != Some(row_digest(&*row)) {
            let reason = "demographics are not those of the patient's current version";
            let id = Some(row.row_id.uuid());
            return Err(Tampering::report("demographics", reason, organization, id).into());
        }
        Ok(row)
    }

    async fn open_demographics(&self, row: &DemographicsRow) -> Result<Demographics, ServiceError> {
        let requested = Requested {
            organization: row.organization,
            owner: Owner::Patient(row.patient),
            row: row.row_id,
        };
        macro_rules! opened {
            (
                first { $($(#[$doc:meta])* $tag:literal $first:ident: $column:ident;)* }
                later { $($(#[$later_doc:meta])* $later_tag:literal $later:ident: $later_column:ident;)* }
            ) => {
                Demographics {
                    $($first: self.field(requested, &row.$first).await?,)*
                    $($later: match &row.$later {
                        Some(sealed) => self.field(requested, sealed).await?,
                        None => None,
                    },)*
                    ..Demographics::default()
                }
            };
        }
        Ok(phi::patient_fields!(opened))
    }

    async fn field<C>(
        &self,
        requested: Requested,
        sealed: &Sealed<C>,
    ) -> Result<Option<Zeroizing<String>>, ServiceError>
    where
        C: Column<Value = Option<String>>,
    {
        let opened: Phi<Option<String>> = self.keys.open(requested, sealed).await?;
        let text = opened.expose().as_ref();
        Ok(text.map(|text| Zeroizing::new(text.clone())))
    }
}

/// Patients as the event of a list or a search names them.
pub(super) fn records(organization: OrganizationId, ids: &[PatientId]) -> Vec<Record> {
    let subject = subject(organization, ResourceType::Patient);
    let record = |id: &PatientId| Record::from(subject.id(id.uuid()).patient(*id));
    ids.iter().map(record).collect()
}
