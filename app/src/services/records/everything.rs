//! The operation `Patient/$everything`: the Patient, the other resources of its chart, and the resources of the
//! organization to which these refer, in pages.
//!
//! Each page begins with all heads of the chart, which are compared with the owner's set, and opens only the bodies that it
//! shows. Resources of the organization are at the end, each once. Their references are collected on the way if the chart
//! fits into one page; otherwise the page after the chart opens the chart's bodies a second time.

use std::collections::BTreeMap;
use std::collections::HashMap;

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Record;
use access::Unsuccessful;
use access::disclose;
use access::disclose_partial;
use access::record_unsuccessful;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceClass;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::everything::EverythingQuery;
use fhir::search;
use fhir::search::SearchMode;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::DamagedRecord;
use super::Records;
use super::chart_heads::ChartHeads;
use super::damage::undamaged;
use super::may_disclose_whole;
use super::open::OpenVersion;
use super::open::StoredResource;
use super::resource_key;
use super::subject;
use crate::limits::MAX_COMPARED_RESOURCES;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::RESOURCES_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

mod position;

use position::EverythingPosition;
use position::after;
use position::order;

/// The memory of a reference to a resource of the organization, in bytes.
const REFERENCE_BYTES: usize = 128;

/// A page of `$everything`.
#[derive(Debug)]
pub(crate) struct EverythingPage {
    /// The entries: resources, then outcomes about what is not shown.
    pub(crate) entries: Vec<EntryJson>,
    /// The encoded position of the last resource, if there may be more.
    pub(crate) next: Option<Zeroizing<Vec<u8>>>,
    /// The memory of the entries, and of the response with them.
    pub(crate) reserved: Reservation,
}

/// A function that makes the entry of a resource.
pub(crate) type MakeEntry<'e> =
    &'e (dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync);

/// The chart of which a page is made, and its reader.
struct Scope<'s> {
    permitted: &'s Permitted<'s, Read>,
    organization: OrganizationId,
    caller: CallerId,
    patient: PatientId,
    query: &'s EverythingQuery,
}

/// A page while its resources are opened.
struct PageBuilder<'e> {
    entry: MakeEntry<'e>,
    entries: Vec<EntryJson>,
    records: Vec<Record>,
    damaged: Vec<Record>,
    unopened: Vec<Reference>,
    bytes: usize,
    reserved: Reservation,
    /// The resources of the organization to which opened ones refer.
    referred: BTreeMap<(&'static str, Uuid), Reference>,
}

/// The result of opening one resource.
enum Opened {
    Live(StoredResource),
    Deleted,
    Damaged,
}

impl Records {
    /// A page of everything that a patient's chart has, after a position. Resources of classes that the caller may not read
    /// are left out, and named as such on the first page.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a patient of another organization, and for a deleted one. The attempt is
    /// recorded.
    pub(crate) async fn everything(
        &self,
        permitted: &Permitted<'_, Read>,
        patient: PatientId,
        query: &EverythingQuery,
        position: Option<&[u8]>,
        entry: MakeEntry<'_>,
    ) -> Result<Disclosed<EverythingPage>, ServiceError> {
        let scope = Scope {
            permitted,
            organization: permitted.caller().organization(),
            caller: CallerId::of(permitted.caller()),
            patient,
            query,
        };
        let page = Box::pin(self.everything_page(&scope, position, entry)).await;
        if let Err(ServiceError::ResponseTooLarge | ServiceError::Internal) = &page {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
        }
        let Some((builder, next, is_complete)) = page? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let page = EverythingPage {
            entries: builder.entries,
            next: next.map(EverythingPosition::encode),
            reserved: builder.reserved,
        };
        let (records, damaged) = (builder.records, builder.damaged);
        if damaged.is_empty() && is_complete {
            return Ok(disclose(&self.trail, permitted, &records, page).await?);
        }
        Ok(disclose_partial(&self.trail, permitted, &records, &damaged, page).await?)
    }

    /// The page, the position of its last resource, and whether the chart is complete; none without a Patient.
    async fn everything_page<'e>(
        &self,
        scope: &Scope<'_>,
        position: Option<&[u8]>,
        entry: MakeEntry<'e>,
    ) -> Result<Option<(PageBuilder<'e>, Option<EverythingPosition>, bool)>, ServiceError> {
        let heads = self.chart_heads(scope.organization, scope.caller, scope.patient);
        let Some(heads) = heads.await? else {
            return Ok(None);
        };
        let ChartHeads {
            resources: chart,
            is_complete,
            reserved: _heads,
            ..
        } = heads;
        let mut builder = PageBuilder {
            entry,
            entries: Vec::new(),
            records: Vec::new(),
            damaged: Vec::new(),
            unopened: Vec::new(),
            bytes: 0,
            reserved: self.memory.reserve(scope.caller, 0)?,
            referred: BTreeMap::new(),
        };
        let position = position.and_then(EverythingPosition::decode);
        let next = match position {
            None => {
                if !self.add_patient(scope, &mut builder).await? {
                    return Ok(None);
                }
                let is_first = true;
                self.add_chart(scope, &chart, None, is_first, &mut builder)
                    .await?
            }
            Some(EverythingPosition::Chart(last)) => {
                let is_first = false;
                self.add_chart(scope, &chart, last, is_first, &mut builder)
                    .await?
            }
            Some(EverythingPosition::Directory(last)) => {
                self.collect_references(scope, &chart, &mut builder).await?;
                self.add_directory(scope, last, &mut builder).await?
            }
        };
        builder.finish(scope, position.is_none(), is_complete)?;
        Ok(Some((builder, next, is_complete)))
    }

    /// Adds the Patient; false if it is deleted.
    async fn add_patient(
        &self,
        scope: &Scope<'_>,
        builder: &mut PageBuilder<'_>,
    ) -> Result<bool, ServiceError> {
        let patient = Reference {
            resource_type: ResourceType::Patient,
            id: scope.patient.uuid(),
        };
        let is_shown = scope.shows(ResourceType::Patient);
        let is_read = scope.may_read(ResourceType::Patient);
        let mut exists = true;
        self.open_each(scope, &[patient], |reference, opened| {
            match opened {
                Opened::Deleted => exists = false,
                Opened::Damaged => builder.add_damaged(scope, reference),
                Opened::Live(stored) => {
                    if is_read {
                        builder.collect(&stored);
                    }
                    if is_shown && scope.is_current(&stored) {
                        builder.add(scope, reference, stored, SearchMode::Match);
                    }
                }
            }
            true
        })
        .await?;
        Ok(exists)
    }

    /// Adds resources of the chart after the last one shown, until the page is full. At the end of a chart that fits into
    /// one page, the resources to which it refers are added, too.
    async fn add_chart(
        &self,
        scope: &Scope<'_>,
        chart: &[Reference],
        last: Option<Reference>,
        is_first: bool,
        builder: &mut PageBuilder<'_>,
    ) -> Result<Option<EverythingPosition>, ServiceError> {
        let shown = |it: &&Reference| {
            it.resource_type != ResourceType::Patient && scope.shows(it.resource_type)
        };
        let rest: Vec<Reference> = after(chart, last).iter().filter(shown).copied().collect();
        let window = rest.get(..rest.len().min(MAX_COMPARED_RESOURCES));
        let (mut seen, mut is_full) = (None, false);
        self.open_each(scope, window.unwrap_or_default(), |reference, opened| {
            if builder.is_full(scope.query.count) {
                is_full = true;
                return false;
            }
            seen = Some(reference);
            match opened {
                Opened::Deleted => {}
                Opened::Damaged => builder.add_damaged(scope, reference),
                Opened::Live(stored) if scope.is_current(&stored) => {
                    builder.collect(&stored);
                    builder.add(scope, reference, stored, SearchMode::Match);
                }
                Opened::Live(_) => {}
            }
            true
        })
        .await?;
        if is_full || rest.len() > MAX_COMPARED_RESOURCES {
            return Ok(Some(EverythingPosition::Chart(seen.or(last))));
        }
        if !scope.shows_directory() {
            return Ok(None);
        }
        if is_first && scope.query.types.is_empty() {
            return self.add_directory(scope, None, builder).await;
        }
        Ok(Some(EverythingPosition::Directory(None)))
    }

    /// Collects the references of all resources of the chart that the caller may read, of types that are shown or not.
    async fn collect_references(
        &self,
        scope: &Scope<'_>,
        chart: &[Reference],
        builder: &mut PageBuilder<'_>,
    ) -> Result<(), ServiceError> {
        let readable = |it: &&Reference| scope.may_read(it.resource_type);
        let readable: Vec<Reference> = chart.iter().filter(readable).copied().collect();
        let mut grown = Ok(());
        self.open_each(scope, &readable, |_, opened| {
            // What is damaged was listed with its own page.
            if let Opened::Live(stored) = opened
                && scope.is_current(&stored)
            {
                let before = builder.referred.len();
                builder.collect(&stored);
                let added = builder.referred.len().saturating_sub(before);
                grown = self.grow(&mut builder.reserved, added * REFERENCE_BYTES);
            }
            grown.is_ok()
        })
        .await?;
        grown
    }

    /// Adds the collected resources of the organization after the last one shown.
    async fn add_directory(
        &self,
        scope: &Scope<'_>,
        last: Option<Reference>,
        builder: &mut PageBuilder<'_>,
    ) -> Result<Option<EverythingPosition>, ServiceError> {
        let referred = std::mem::take(&mut builder.referred);
        let shown = |it: &Reference| scope.shows(it.resource_type);
        let referred: Vec<Reference> = referred.into_values().filter(shown).collect();
        let rest = after(&referred, last);
        let window = rest.get(..rest.len().min(MAX_INCLUDED_RESOURCES));
        let window = self.stored(scope, window.unwrap_or_default()).await?;
        let mut next = None;
        let mut seen = last;
        self.open_each(scope, &window, |reference, opened| {
            if builder.bytes > MAX_RESPONSE_BYTES {
                next = Some(EverythingPosition::Directory(seen));
                return false;
            }
            seen = Some(reference);
            match opened {
                Opened::Deleted => {}
                Opened::Damaged => builder.add_damaged(scope, reference),
                Opened::Live(stored) => {
                    if stored.owner == Owner::of_organization(scope.organization) {
                        builder.add(scope, reference, stored, SearchMode::Include);
                    }
                }
            }
            true
        })
        .await?;
        if next.is_none() && rest.len() > MAX_INCLUDED_RESOURCES {
            let last = rest.get(MAX_INCLUDED_RESOURCES.saturating_sub(1));
            next = Some(EverythingPosition::Directory(last.copied()));
        }
        Ok(next)
    }

    /// Those of the resources that are stored: a reference may name none.
    async fn stored(
        &self,
        scope: &Scope<'_>,
        references: &[Reference],
    ) -> Result<Vec<Reference>, ServiceError> {
        let keys = references.iter();
        let keys: Vec<_> = keys
            .map(|it| resource_key(it.resource_type, it.id))
            .collect();
        let stored = self.database.version_lengths(scope.organization, &keys);
        let stored = stored.await?;
        let is_stored =
            |it: &&Reference| stored.contains_key(&(it.resource_type.name().to_owned(), it.id));
        Ok(references.iter().filter(is_stored).copied().collect())
    }

    /// Opens stored resources in order, in batches whose memory is reserved first. Stops when `visit` returns false.
    async fn open_each(
        &self,
        scope: &Scope<'_>,
        references: &[Reference],
        mut visit: impl FnMut(Reference, Opened) -> bool,
    ) -> Result<(), ServiceError> {
        let (organization, caller) = (scope.organization, scope.caller);
        for references in references.chunks(MAX_COMPARED_RESOURCES) {
            let keys = references.iter();
            let keys: Vec<_> = keys
                .map(|it| resource_key(it.resource_type, it.id))
                .collect();
            let batches = self.key_batches(organization, &keys, RESOURCES_PER_STATEMENT);
            for batch in batches.await? {
                let references = references.get(batch.range.clone()).unwrap_or_default();
                let sealed = self.read_readable(organization, caller, &keys, &batch);
                let (rows, _reserved) = sealed.await?.into_parts();
                let rows = rows.into_iter();
                let mut rows: HashMap<_, _> = rows
                    .map(|row| ((row.head.kind.clone(), row.head.id), row))
                    .collect();
                for reference in references {
                    let key = (reference.resource_type.name().to_owned(), reference.id);
                    let opened = match rows.remove(&key) {
                        None => Opened::Damaged,
                        Some(row) => {
                            match undamaged(self.open_current(organization, caller, row).await)? {
                                None => Opened::Damaged,
                                Some(OpenVersion::Deleted(_)) => Opened::Deleted,
                                Some(OpenVersion::Live(stored)) => Opened::Live(stored),
                            }
                        }
                    };
                    if !visit(*reference, opened) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

impl Scope<'_> {
    /// Whether the caller may read resources of a type, in this chart or in the directory.
    fn may_read(&self, resource_type: ResourceType) -> bool {
        let subject = subject(self.organization, resource_type);
        let subject = match resource_type.class() {
            ResourceClass::Directory => subject,
            ResourceClass::Demographics | ResourceClass::Clinical | ResourceClass::Billing => {
                subject.patient(self.patient)
            }
        };
        may_disclose_whole(self.permitted, &Record::from(subject))
    }

    /// Whether resources of a type are shown.
    fn shows(&self, resource_type: ResourceType) -> bool {
        self.query.has_type(resource_type) && self.may_read(resource_type)
    }

    /// Whether resources of the organization may be shown.
    fn shows_directory(&self) -> bool {
        let mut types = ResourceType::ALL.into_iter();
        types.any(|it| it.may_be_of_organization() && self.shows(it))
    }

    /// Whether a resource of the chart is of the requested time.
    fn is_current(&self, stored: &StoredResource) -> bool {
        let since = self.query.since;
        since.is_none_or(|since| stored.meta.last_updated >= since)
    }

    /// The requested classes that the caller may not read.
    fn withheld(&self) -> impl Iterator<Item = ResourceClass> {
        ResourceClass::ALL.into_iter().filter(|class| {
            let of_class = ResourceType::ALL.into_iter();
            let mut requested =
                of_class.filter(|it| it.class() == *class && self.query.has_type(*it));
            requested.any(|it| !self.may_read(it))
        })
    }
}

impl PageBuilder<'_> {
    /// Adds the entry of a resource, unless its disclosure would be refused.
    fn add(
        &mut self,
        scope: &Scope<'_>,
        reference: Reference,
        stored: StoredResource,
        mode: SearchMode,
    ) {
        let record = stored.record(scope.organization, reference.id);
        if !may_disclose_whole(scope.permitted, &record) {
            return;
        }
        self.records.push(record);
        let mut reserved = stored.reserved;
        let entry = (self.entry)(stored.resource, stored.meta, mode);
        self.bytes = self.bytes.saturating_add(entry.len());
        // The entry, and its copy in the response.
        reserved.shrink_to(2 * entry.len());
        self.reserved.absorb(reserved);
        self.entries.push(entry);
    }

    /// Adds a resource that could not be opened.
    fn add_damaged(&mut self, scope: &Scope<'_>, reference: Reference) {
        let name = reference.resource_type.name();
        let damaged = DamagedRecord::new(name, reference.id);
        let owner = match reference.resource_type.class() {
            ResourceClass::Directory => Owner::of_organization(scope.organization),
            ResourceClass::Demographics | ResourceClass::Clinical | ResourceClass::Billing => {
                Owner::Patient(scope.patient)
            }
        };
        let record = damaged.record_of(scope.organization, owner);
        self.damaged.push(record);
        self.unopened.push(reference);
    }

    /// Collects the references of a resource to resources of the organization.
    fn collect(&mut self, stored: &StoredResource) {
        let references = stored.resource.directory_references().into_iter();
        self.referred.extend(references.map(|it| (order(&it), it)));
    }

    /// Whether the page has as many resources as fit.
    fn is_full(&self, count: usize) -> bool {
        self.entries.len() + self.unopened.len() >= count || self.bytes > MAX_RESPONSE_BYTES
    }

    /// Adds the outcomes about what is not shown.
    fn finish(
        &mut self,
        scope: &Scope<'_>,
        is_first: bool,
        is_complete: bool,
    ) -> Result<(), ServiceError> {
        let withheld = is_first.then(|| search::withheld_entry(scope.withheld()));
        let unopened = search::unopened_entry(self.unopened.iter().copied());
        let incomplete = (!is_complete).then(search::incomplete_entry);
        let outcomes = withheld.flatten().into_iter().chain(unopened);
        for entry in outcomes.chain(incomplete) {
            self.reserved.grow(2 * entry.len())?;
            self.entries.push(entry);
        }
        Ok(())
    }
}
