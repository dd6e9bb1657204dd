//! Lists and searches of patients, whose matches are summaries.

use std::collections::HashMap;
use std::collections::HashSet;

use access::Disclosed;
use access::Disclosing;
use access::List;
use access::Permitted;
use access::Record;
use access::Search;
use access::disclose;
use access::disclose_partial;
use db::DemographicsRow;
use db::DemographicsState;
use db::ResourceKey;
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
use super::damage::OpenFailure;
use super::damage::undamaged;
use super::ensure_all_fields;
use super::reader::Reader;
use super::resource_key;
use super::subject;
use crate::limits::MAX_DEMOGRAPHICS_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;
use fhir::Demographics;
use fhir::ResourceType;
use fhir::search::PatientQuery;

/// Maximum attempts to read demographics while they are written.
const MAX_ATTEMPTS: usize = 5;

/// A patient in a list.
pub(crate) struct PatientSummary {
    /// The patient.
    pub(crate) id: PatientId,
    /// The fields that a list shows; `deceased` is not one of them.
    pub(crate) demographics: Demographics,
}

/// A page of patients.
pub(crate) struct PatientPage {
    /// The patients, in the requested order.
    pub(crate) patients: Vec<PatientSummary>,
    /// The patients of this page whose data could not be opened, and all patients of the
    /// organization whom the roster could not place.
    pub(crate) damaged: Vec<PatientId>,
    /// The number of all matches, those included that could not be opened.
    pub(crate) total: usize,
    /// The memory of the patients, and of the response with them.
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
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let roster = self.rosters.current(organization).await?;
        let page = roster.page(order, skip, take);
        let ids: Vec<_> = page.ids.into_iter().map(PatientId::from_uuid).collect();
        let caller = CallerId::of(permitted.caller());
        self.patient_page(permitted, caller, &ids, Vec::new(), page.total)
            .await
    }

    /// The patients that match a query, at most as many as it requests.
    pub(crate) async fn search(
        &self,
        permitted: &Permitted<'_, Search>,
        budget: &RequestBudget,
        query: &PatientQuery,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let found = self.match_patients(reader, query, (None, query.count));
        let found = found.await?;
        let (ids, damaged) = (&found.ids, found.damaged);
        self.patient_page(permitted, reader.caller, ids, damaged, found.total)
            .await
    }

    /// The page of these patients, recorded.
    async fn patient_page<A: Disclosing>(
        &self,
        permitted: &Permitted<'_, A>,
        caller: CallerId,
        ids: &[PatientId],
        uncompared: Vec<PatientId>,
        total: usize,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        let organization = permitted.caller().organization();
        let mut unplaced = self.rosters.unopened(organization);
        unplaced.extend(uncompared);
        // Boxed: the compiler limits the depth of the futures that a handler consists of.
        let mut page = Box::pin(self.open_summaries(organization, caller, ids)).await?;
        page.total = total;
        let known: HashSet<_> = ids.iter().collect();
        let unplaced = unplaced.into_iter().filter(|id| !known.contains(id));
        page.damaged.extend(unplaced);
        let shown: Vec<_> = page.patients.iter().map(|patient| patient.id).collect();
        let damaged = page.damaged.clone();
        let shown = patient_records(organization, &shown);
        self.disclose_patients(permitted, &shown, &damaged, page)
            .await
    }

    /// Discloses a value with the `shown` records, without those of `damaged` patients.
    pub(super) async fn disclose_patients<A: Disclosing, V>(
        &self,
        permitted: &Permitted<'_, A>,
        shown: &[Record],
        damaged: &[PatientId],
        value: V,
    ) -> Result<Disclosed<V>, ServiceError> {
        if damaged.is_empty() {
            return Ok(disclose(&self.trail, permitted, shown, value).await?);
        }
        let damaged = patient_records(permitted.caller().organization(), damaged);
        let partial = disclose_partial(&self.trail, permitted, shown, &damaged, value);
        Ok(partial.await?)
    }

    /// The summaries of these patients, in the same order, and those that are damaged.
    async fn open_summaries(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        ids: &[PatientId],
    ) -> Result<PatientPage, ServiceError> {
        // A row has each field, and the names a second time for the roster.
        let max_bytes = 2 * MAX_DEMOGRAPHICS_BYTES * ids.len();
        let reserved = self.memory.reserve(caller, max_bytes)?;
        let current = self.readable_demographics(organization, ids).await?;
        let keys: Vec<_> = current
            .iter()
            .filter_map(|(row, _)| Some((Owner::Patient(row.patient), row.family.key_id()?)))
            .collect();
        self.keys.prefetch(organization, keys).await?;
        let mut current: HashMap<_, _> = current
            .into_iter()
            .map(|(row, state)| (row.patient, (row, state)))
            .collect();
        let mut page = PatientPage {
            patients: Vec::with_capacity(ids.len()),
            damaged: Vec::new(),
            total: ids.len(),
            reserved,
        };
        for id in ids {
            let opened = if let Some((row, state)) = current.remove(id) {
                self.open_demographics_of(organization, row, state).await
            } else if self.is_deleted(organization, *id).await? {
                continue;
            } else {
                let reason = "the demographics of a patient of the roster are missing";
                let id = Some(id.uuid());
                Err(Tampering::report("demographics", reason, organization, id).into())
            };
            let opened = undamaged(opened)?;
            self.rosters.on_listed(organization, *id, opened.is_some());
            match opened {
                Some(demographics) => page.patients.push(PatientSummary {
                    id: *id,
                    demographics,
                }),
                None => page.damaged.push(*id),
            }
        }
        Ok(page)
    }

    /// Whether a patient was deleted after the roster was read.
    async fn is_deleted(
        &self,
        organization: OrganizationId,
        patient: PatientId,
    ) -> Result<bool, ServiceError> {
        let key = resource_key(ResourceType::Patient, patient.uuid());
        let Some(head) = self.database.resource(organization, &key).await? else {
            return Ok(false);
        };
        let head = undamaged(self.keys.verify(organization, head).await)?;
        Ok(head.is_some_and(|head| head.deleted.is_some()))
    }

    /// The verified and opened demographics of a patient.
    async fn open_demographics_of(
        &self,
        organization: OrganizationId,
        row: DemographicsRow,
        state: DemographicsState,
    ) -> Result<Demographics, OpenFailure> {
        let row = self.verify_current(organization, row, state).await?;
        self.open_demographics(&row).await
    }

    /// Those of the demographics of these patients whose rows can be read: by one statement, or by
    /// one for each patient if a row cannot be read.
    async fn readable_demographics(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
    ) -> Result<Vec<(DemographicsRow, DemographicsState)>, ServiceError> {
        let all = self.read_demographics(organization, ids).await;
        if let Some(all) = undamaged(all)? {
            return Ok(all);
        }
        let mut readable = Vec::with_capacity(ids.len());
        for id in ids {
            let one = self
                .read_demographics(organization, std::slice::from_ref(id))
                .await;
            readable.extend(undamaged(one)?.into_iter().flatten());
        }
        Ok(readable)
    }

    /// The demographics of these patients, each with its state. The two are read by two statements;
    /// after a write between them, both are read again.
    async fn read_demographics(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
    ) -> Result<Vec<(DemographicsRow, DemographicsState)>, OpenFailure> {
        let mut former_ids = None;
        for _ in 0..MAX_ATTEMPTS {
            let rows = self.database.demographics(organization, ids).await?;
            let states = self.database.demographics_states(organization, ids).await?;
            let mut row_ids: Vec<_> = rows.iter().map(|row| row.row_id).collect();
            row_ids.extend(states.iter().map(|state| state.row_id));
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
            // The same rows a second time: no write between the statements explains the difference.
            if former_ids.replace(row_ids.clone()) == Some(row_ids) {
                let reason = "demographics and their state are of different rows";
                return Err(Tampering::report("demographics", reason, organization, None).into());
            }
        }
        let busy = ServiceError::unavailable("too many concurrent writes of the patients");
        Err(busy.into())
    }

    /// Verifies a patient's demographics, and that they are current: of the version that the
    /// Patient's head names, which must be the newest, and both rows the newest on record. The MAC
    /// alone does not suffice: that of an older row verifies, too.
    async fn verify_current(
        &self,
        organization: OrganizationId,
        row: DemographicsRow,
        state: DemographicsState,
    ) -> Result<Verified<DemographicsRow>, OpenFailure> {
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

    async fn open_demographics(&self, row: &DemographicsRow) -> Result<Demographics, OpenFailure> {
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
                    $($first: self.open_field(requested, &row.$first).await?,)*
                    $($later: match &row.$later {
                        Some(sealed) => self.open_field(requested, sealed).await?,
                        None => None,
                    },)*
                    ..Demographics::default()
                }
            };
        }
        Ok(phi::patient_fields!(opened))
    }

    async fn open_field<C>(
        &self,
        requested: Requested,
        sealed: &Sealed<C>,
    ) -> Result<Option<Zeroizing<String>>, OpenFailure>
    where
        C: Column<Value = Option<String>>,
    {
        let opened: Phi<Option<String>> = self.keys.open(requested, sealed).await?;
        let text = opened.expose().as_ref();
        Ok(text.map(|text| Zeroizing::new(text.clone())))
    }
}

/// Patients as the event of a list or a search names them.
pub(super) fn patient_records(organization: OrganizationId, ids: &[PatientId]) -> Vec<Record> {
    let subject = subject(organization, ResourceType::Patient);
    let record = |id: &PatientId| Record::from(subject.id(id.uuid()).patient(*id));
    ids.iter().map(record).collect()
}

/// The keys of Patient resources.
pub(super) fn patient_keys(ids: &[PatientId]) -> Vec<ResourceKey> {
    let key = |id: &PatientId| resource_key(ResourceType::Patient, id.uuid());
    ids.iter().map(key).collect()
}
