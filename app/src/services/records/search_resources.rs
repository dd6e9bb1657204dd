//! FHIR searches for patients, whose matches are whole resources.

use std::collections::HashMap;
use std::collections::HashSet;

use access::Disclosed;
use access::Permitted;
use access::Search;
use db::CurrentVersion;
use db::ResourceKey;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search;
use fhir::search::PatientQuery;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Records;
use super::batch_read::SealedBatch;
use super::damage::undamaged;
use super::ensure_all_fields;
use super::open::OpenVersion;
use super::patients::patient_records;
use super::resource_key;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::PATIENTS_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

/// A page of matching patients, as entries of a searchset Bundle.
#[derive(Debug)]
pub(crate) struct SearchsetPage {
    /// The entries, by name; then the outcome that lists the matches that cannot be opened, if any.
    pub(crate) entries: Vec<EntryJson>,
    /// The number of all matches, those included that cannot be opened.
    pub(crate) total: usize,
    /// Whether requested patients are missing, because the response would be too long.
    pub(crate) is_truncated: bool,
    /// The position after the last entry, at which the search continues; none if there are no further
    /// matches. It has PHI, and is sealed before it is sent.
    pub(crate) next: Option<Zeroizing<Vec<u8>>>,
    /// The memory of the entries, and of the response with them.
    pub(crate) reserved: Reservation,
}

/// Sealed Patients that were read by one statement, with their memory.
pub(super) struct SealedPatients {
    pub(super) rows: Vec<(PatientId, CurrentVersion)>,
    _reserved: Reservation,
}

impl SearchsetPage {
    /// A page without entries, of a result with this number of matches.
    fn new(total: usize, reserved: Reservation) -> Self {
        Self {
            entries: Vec::new(),
            total,
            is_truncated: false,
            next: None,
            reserved,
        }
    }

    /// Adds the outcome that lists the matches that cannot be opened, if there are any.
    fn add_unopened(&mut self, unopened: &[PatientId]) -> Result<(), ServiceError> {
        let references = unopened.iter().map(|id| Reference {
            resource_type: ResourceType::Patient,
            id: id.uuid(),
        });
        if let Some(entry) = search::unopened_entry(references) {
            self.reserved.grow(2 * entry.len())?;
            self.entries.push(entry);
        }
        Ok(())
    }
}

impl Records {
    /// The patients that match a query, from the beginning or `after` a position: as many as it
    /// requests and fit into a response. `entry` makes an entry of a Patient.
    pub(crate) async fn search_resources(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &PatientQuery,
        after: Option<&[u8]>,
        entry: impl Fn(Resource, VersionMeta) -> EntryJson,
    ) -> Result<Disclosed<SearchsetPage>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let found = self
            .match_patients(organization, caller, query, after)
            .await?;
        let ids = &found.ids;
        let mut page = SearchsetPage::new(found.total, self.memory.reserve(caller, 0)?);
        let mut bytes = 0_usize;
        let mut shown = Vec::new();
        // The number of matches of the page: all, unless the response is truncated.
        let mut seen = ids.len();
        // Patients who match, if the roster is right, and cannot be shown; those whom it could not
        // compare.
        let mut unopened = self.rosters.unopened(organization);
        unopened.extend_from_slice(&found.damaged);
        let keys = patient_keys(ids);
        let batches = self.key_batches(organization, &keys, PATIENTS_PER_STATEMENT);
        'batches: for batch in batches.await? {
            let patients = ids.get(batch.range.clone()).unwrap_or_default();
            let sealed = self
                .read_readable(organization, caller, &keys, &batch)
                .await?;
            let sealed = self.order_by_ids(organization, patients, sealed).await?;
            unopened.extend(missing(organization, patients, &sealed));
            for (id, row) in sealed.rows {
                let open = self.open_current(organization, caller, row).await;
                let stored = match undamaged(open)? {
                    Some(OpenVersion::Live(stored)) => stored,
                    Some(OpenVersion::Deleted(_)) => continue,
                    None => {
                        unopened.push(id);
                        continue;
                    }
                };
                let record = stored.record(organization, id.uuid());
                let (resource, meta, mut reserved) =
                    (stored.resource, stored.meta, stored.reserved);
                let entry = entry(resource, meta);
                bytes = bytes.saturating_add(entry.len());
                if bytes > MAX_RESPONSE_BYTES {
                    page.is_truncated = true;
                    seen = ids.iter().position(|it| *it == id).unwrap_or_default();
                    break 'batches;
                }
                // The entry, and its copy in the response.
                reserved.shrink_to(2 * entry.len());
                page.reserved.absorb(reserved);
                page.entries.push(entry);
                shown.push(record);
            }
        }
        let last = seen.checked_sub(1);
        page.next = last.and_then(|last| found.position(last));
        page.add_unopened(&unopened)?;
        self.disclose_patients(permitted, &shown, &unopened, page)
            .await
    }

    /// The ids of at most two patients that match a query: enough to know whether there is one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] if a patient that may match is damaged: a match that is not found would be created a
    /// second time.
    pub(crate) async fn patient_ids(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &PatientQuery,
    ) -> Result<Disclosed<Vec<Uuid>>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let found = self.match_patients(organization, caller, query, None);
        let found = found.await?;
        if !found.damaged.is_empty() {
            return Err(ServiceError::Internal);
        }
        let ids: Vec<_> = found.ids.into_iter().take(2).collect();
        let found = ids.iter().map(|id| id.uuid()).collect();
        let records = patient_records(organization, &ids);
        self.disclose_patients(permitted, &records, &[], found)
            .await
    }

    /// The rows of a batch in the order of `ids`, without those that do not exist. Their keys are
    /// loaded together, so that the rows can be opened one after another.
    pub(super) async fn order_by_ids(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
        sealed: SealedBatch,
    ) -> Result<SealedPatients, ServiceError> {
        let keys = sealed.rows.iter().filter_map(|row| {
            let owner = Owner::Patient(row.head.id.into());
            Some((owner, row.version.body.key_id()?))
        });
        let keys: Vec<_> = keys.collect();
        self.keys.prefetch(organization, keys).await?;
        let (rows, reserved) = sealed.into_parts();
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.head.id, row)).collect();
        let ordered = ids.iter();
        let ordered = ordered.filter_map(|id| Some((*id, rows.remove(&id.uuid())?)));
        Ok(SealedPatients {
            rows: ordered.collect(),
            _reserved: reserved,
        })
    }
}

/// The patients of a batch without a row that can be read.
fn missing(
    organization: OrganizationId,
    patients: &[PatientId],
    sealed: &SealedPatients,
) -> Vec<PatientId> {
    let read: HashSet<_> = sealed.rows.iter().map(|(id, _)| *id).collect();
    let missing: Vec<_> = patients
        .iter()
        .copied()
        .filter(|id| !read.contains(id))
        .collect();
    for id in &missing {
        let reason = "a patient of the roster is missing";
        let _reported = Tampering::report("resources", reason, organization, Some(id.uuid()));
    }
    missing
}

/// The keys of Patient resources.
pub(super) fn patient_keys(ids: &[PatientId]) -> Vec<ResourceKey> {
    let key = |id: &PatientId| resource_key(ResourceType::Patient, id.uuid());
    ids.iter().map(key).collect()
}
