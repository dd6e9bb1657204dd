//! A page of `$everything`: its entries, the records that its event names, and the outcomes about what is not shown.

use std::collections::BTreeMap;

use access::Record;
use fhir::Reference;
use fhir::ResourceClass;
use fhir::bundle::EntryJson;
use fhir::search;
use fhir::search::SearchMode;
use phi::Owner;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::position::order;
use super::scope::Scope;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::StoredResource;
use crate::services::records::may_disclose_whole;
use crate::services::records::open::resource_record;
use crate::services::records::resource_page::MakeEntry;

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

/// A page while its resources are opened.
pub(super) struct PageBuilder<'e> {
    entry: MakeEntry<'e>,
    pub(super) entries: Vec<EntryJson>,
    pub(super) records: Vec<Record>,
    pub(super) damaged: Vec<Record>,
    unopened: Vec<Reference>,
    pub(super) bytes: usize,
    pub(super) reserved: Reservation,
    /// The resources of the organization to which opened ones refer.
    pub(super) referred: BTreeMap<(&'static str, Uuid), Reference>,
}

impl<'e> PageBuilder<'e> {
    /// A page without entries. `entry` makes an entry of a resource.
    pub(super) fn new(entry: MakeEntry<'e>, reserved: Reservation) -> Self {
        Self {
            entry,
            entries: Vec::new(),
            records: Vec::new(),
            damaged: Vec::new(),
            unopened: Vec::new(),
            bytes: 0,
            reserved,
            referred: BTreeMap::new(),
        }
    }

    /// Adds the entry of a resource, unless its disclosure would be refused.
    pub(super) fn add(
        &mut self,
        scope: &Scope<'_>,
        reference: Reference,
        stored: StoredResource,
        mode: SearchMode,
    ) {
        let record = stored.record(scope.reader.organization, reference.id);
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
    pub(super) fn add_damaged(&mut self, scope: &Scope<'_>, reference: Reference) {
        let owner = match reference.resource_type.class() {
            ResourceClass::Directory => Owner::of_organization(scope.reader.organization),
            ResourceClass::Demographics | ResourceClass::Clinical | ResourceClass::Billing => {
                Owner::Patient(scope.patient)
            }
        };
        let record = resource_record(scope.reader.organization, reference, owner);
        self.damaged.push(record);
        self.unopened.push(reference);
    }

    /// Collects the references of a resource to resources of the organization.
    pub(super) fn collect(&mut self, stored: &StoredResource) {
        let references = stored.resource.directory_references().into_iter();
        self.referred.extend(references.map(|it| (order(&it), it)));
    }

    /// Whether the page has as many resources as fit.
    pub(super) fn is_full(&self, count: usize) -> bool {
        self.entries.len() + self.unopened.len() >= count || self.bytes > MAX_RESPONSE_BYTES
    }

    /// Adds the outcomes about what is not shown.
    pub(super) fn finish(
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
