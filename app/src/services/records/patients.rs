//! Lists of patients and searches for them, over the roster and the blind indexes.

use std::collections::HashMap;

use access::{Disclosed, List, Permitted, Record, Search, disclose};
use db::CurrentVersion;
use db::DemographicsRow;
use db::DemographicsState;
use db::ResourceKey;
use phi::{
    Column, OrganizationId, Owner, PatientId, Phi, Requested, Sealed, Tampering, Verified,
    row_digest,
};
use roster::Order;
use zeroize::Zeroizing;

use super::Records;
use super::ensure_whole;
use super::key_of;
use super::reading::SealedGroup;
use super::subject;
use crate::limits::MAX_DEMOGRAPHICS_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::PATIENTS_PER_STATEMENT;
use crate::services::budget::Reservation;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use fhir::bundle::EntryJson;
use fhir::search::PatientQuery;
use fhir::{Demographics, Resource, ResourceType, VersionMeta};

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

/// Some of the matching patients, as entries of a response.
#[derive(Debug)]
pub(crate) struct FoundResources {
    /// By name.
    pub(crate) entries: Vec<EntryJson>,
    /// The number of all matches.
    pub(crate) total: usize,
    /// Whether patients are missing that the query requests, because the response would be too long.
    pub(crate) is_cut: bool,
    /// The memory of the entries, and of the response that they become.
    pub(crate) reserved: Reservation,
}

/// Sealed Patients that were read by one statement.
pub(super) struct SealedPatients {
    pub(super) found: Vec<(PatientId, CurrentVersion)>,
    _reserved: Reservation,
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

    /// The same, as entries that `entry` makes of Patient resources: as many as a response takes.
    pub(crate) async fn search_resources(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &PatientQuery,
        entry: impl Fn(Resource, VersionMeta) -> EntryJson,
    ) -> Result<Disclosed<FoundResources>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let share = Share::of(permitted.caller());
        let (ids, total) = self.matches(organization, share, query).await?;
        let mut found = FoundResources {
            entries: Vec::new(),
            total,
            is_cut: false,
            reserved: self.memory.reserve(share, 0)?,
        };
        let mut bytes = 0_usize;
        let mut shown = Vec::new();
        let keys = patient_keys(&ids);
        let groups = self.key_groups(organization, &keys, PATIENTS_PER_STATEMENT);
        'groups: for group in groups.await? {
            let patients = ids.get(group.range.clone()).unwrap_or_default();
            let sealed = self.read_group(organization, share, &keys, &group).await?;
            let rows = self.in_order(organization, patients, sealed).await?;
            if rows.found.len() != patients.len() {
                let reason = "a patient that the roster has is missing";
                return Err(Tampering::report("resources", reason, organization, None).into());
            }
            for (id, row) in rows.found {
                let stored = self.open(organization, share, row).await?;
                let (resource, meta, mut reserved) =
                    (stored.resource, stored.meta, stored.reserved);
                let made = entry(resource, meta);
                bytes = bytes.saturating_add(made.len());
                if bytes > MAX_RESPONSE_BYTES {
                    found.is_cut = true;
                    break 'groups;
                }
                // The entry, and its copy in the response.
                reserved.shrink_to(2 * made.len());
                found.reserved.absorb(reserved);
                found.entries.push(made);
                shown.push(id);
            }
        }
        Ok(disclose(
            &self.trail,
            permitted,
            &records(organization, &shown),
            found,
        )
        .await?)
    }

    /// The rows of those Patients of `ids` that were read, in the same order, with their keys fetched at once.
    pub(super) async fn in_order(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
        sealed: SealedGroup,
    ) -> Result<SealedPatients, ServiceError> {
        let wanted = sealed.rows.iter().filter_map(|row| {
            let owner = Owner::Patient(row.head.id.into());
            Some((owner, row.version.body.key_id()?))
        });
        let wanted: Vec<_> = wanted.collect();
        self.keys.prefetch(organization, wanted).await?;
        let (rows, reserved) = sealed.into_parts();
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.head.id, row)).collect();
        let found = ids.iter();
        let found = found.filter_map(|id| Some((*id, rows.remove(&id.uuid())?)));
        Ok(SealedPatients {
            found: found.collect(),
            _reserved: reserved,
        })
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

/// Patients as resources.
pub(super) fn patient_keys(ids: &[PatientId]) -> Vec<ResourceKey> {
    let key = |id: &PatientId| key_of(ResourceType::Patient, id.uuid());
    ids.iter().map(key).collect()
}

/// Patients as the event of a list or a search names them.
fn records(organization: OrganizationId, ids: &[PatientId]) -> Vec<Record> {
    let subject = subject(organization, ResourceType::Patient);
    let record = |id: &PatientId| Record::from(subject.id(id.uuid()).patient(*id));
    ids.iter().map(record).collect()
}
