//! FHIR searches for patients, whose matches are whole resources.

use std::collections::HashMap;
use std::collections::HashSet;

use access::Disclosed;
use access::Permitted;
use access::Record;
use access::Search;
use access::disclose_count;
use db::CurrentVersion;
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
use zeroize::Zeroizing;

use super::Records;
use super::batch_read::SealedBatch;
use super::damage::undamaged;
use super::ensure_all_fields;
use super::matching::PatientMatches;
use super::open::OpenVersion;
use super::patients::patient_keys;
use super::patients::patient_records;
use super::reader::Reader;
use crate::limits::MAX_NAMED_PATIENTS;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::PATIENTS_PER_STATEMENT;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;

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

/// The patients of a page, as they were opened.
struct OpenedPatients {
    shown: Vec<Record>,
    /// Patients that match or may match, and cannot be shown.
    unopened: Vec<PatientId>,
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
    ///
    /// The event names the patients that are shown. A search for their number alone
    /// discloses whether people match: its event names them if they are few, or else their number.
    pub(crate) async fn search_resources(
        &self,
        permitted: &Permitted<'_, Search>,
        budget: &RequestBudget,
        query: &PatientQuery,
        after: Option<&[u8]>,
        entry: impl Fn(Resource, VersionMeta) -> EntryJson,
    ) -> Result<Disclosed<SearchsetPage>, ServiceError> {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let take = match query.count {
            0 => MAX_NAMED_PATIENTS,
            count => count,
        };
        let found = self.match_patients(reader, query, (after, take)).await?;
        let mut page = SearchsetPage::new(found.total, self.memory.reserve(reader.caller, 0)?);
        let mut opened = OpenedPatients {
            shown: Vec::new(),
            // Patients that the roster could not place.
            unopened: self.rosters.unopened(reader.organization),
        };
        opened.unopened.extend_from_slice(&found.damaged);
        if query.count > 0 {
            let seen = self.open_patients(reader, &found.ids, &mut page, &mut opened, entry);
            let last = seen.await?.checked_sub(1);
            page.next = last.and_then(|last| found.position(last));
        }
        // What a permit for one patient does not include is no match of its search.
        opened.unopened.retain(|id| permitted.includes(*id));
        page.add_unopened(&opened.unopened)?;
        if query.count > 0 {
            return self
                .disclose_patients(permitted, &opened.shown, &opened.unopened, page)
                .await;
        }
        self.disclose_number(permitted, &found, &opened.unopened, page)
            .await
    }

    /// Opens matches, and adds their entries to a page until the response is full. Returns the number of matches that the
    /// page passes.
    async fn open_patients(
        &self,
        reader: Reader<'_>,
        ids: &[PatientId],
        page: &mut SearchsetPage,
        opened: &mut OpenedPatients,
        entry: impl Fn(Resource, VersionMeta) -> EntryJson,
    ) -> Result<usize, ServiceError> {
        let organization = reader.organization;
        let mut bytes = 0_usize;
        let keys = patient_keys(ids);
        let batches = self.key_batches(organization, &keys, PATIENTS_PER_STATEMENT);
        for batch in batches.await? {
            let patients = ids.get(batch.range.clone()).unwrap_or_default();
            let sealed = self.read_readable(reader, &keys, &batch).await?;
            let sealed = self.order_by_ids(organization, patients, sealed).await?;
            let missing = missing(organization, patients, &sealed);
            opened.unopened.extend(missing);
            for (id, row) in sealed.rows {
                let open = self.open_current(organization, reader.caller, row).await;
                let stored = match undamaged(open)? {
                    Some(OpenVersion::Live(stored)) => stored,
                    Some(OpenVersion::Deleted(_)) => continue,
                    None => {
                        opened.unopened.push(id);
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
                    return Ok(ids.iter().position(|it| *it == id).unwrap_or_default());
                }
                // The entry, and its copy in the response.
                reserved.shrink_to(2 * entry.len());
                page.reserved.absorb(reserved);
                page.entries.push(entry);
                opened.shown.push(record);
            }
        }
        Ok(ids.len())
    }

    /// Discloses the number of matches.
    async fn disclose_number<V>(
        &self,
        permitted: &Permitted<'_, Search>,
        found: &PatientMatches,
        unopened: &[PatientId],
        value: V,
    ) -> Result<Disclosed<V>, ServiceError> {
        let organization = permitted.caller().organization();
        if found.total <= found.ids.len() {
            let matches = patient_records(organization, &found.ids);
            return self
                .disclose_patients(permitted, &matches, unopened, value)
                .await;
        }
        let unopened = patient_records(organization, unopened);
        let total = u32::try_from(found.total).unwrap_or(u32::MAX);
        let counted = disclose_count(&self.trail, permitted, total, &unopened, value);
        Ok(counted.await?)
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
