//! The pages of a search: matches, and resources that are included beside them, as entries.

use std::collections::HashSet;

use access::Record;
use fhir::Reference;
use fhir::Resource;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::limits::MAX_COUNT;
use fhir::search;
use fhir::search::ResourceQuery;
use fhir::search::SearchMode;
use fhir::search::SearchValues;
use phi::OrganizationId;
use phi::Owner;

use super::Records;
use super::StoredResource;
use super::open::resource_record;
use super::open_each::Opened;
use super::reader::Reader;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

/// Maximum references that are collected from matches, of which a page may show as many as are included and those that are
/// matches themselves.
const MAX_COLLECTED: usize = MAX_INCLUDED_RESOURCES + MAX_COUNT + 1;

/// A function that makes the entry of a resource.
pub(crate) type MakeEntry<'e> =
    &'e (dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync);

/// A page while its resources are opened.
pub(super) struct PageBuilder<'e> {
    organization: OrganizationId,
    entry: MakeEntry<'e>,
    page: BuiltPage,
    /// Whether no stored resource is hidden or not current.
    pub(super) is_complete: bool,
    /// The matches that are shown.
    pub(super) shown: HashSet<Reference>,
    /// The resources to which matches refer, each once.
    pub(super) referred: HashSet<Reference>,
    /// The same, in the order in which they are included.
    pub(super) included: Vec<Reference>,
    /// Whether resources that should be included are left out.
    pub(super) is_cut: bool,
    /// The resources that belong to the page and cannot be opened, each once.
    unopened: Vec<Reference>,
    /// The same, as a set.
    marked: HashSet<Reference>,
    bytes: usize,
}

/// A page whose entries are complete.
pub(super) struct BuiltPage {
    /// Matches, included resources, and outcomes about what is not shown.
    pub(super) entries: Vec<EntryJson>,
    /// The resources that are shown.
    records: Vec<Record>,
    /// The resources that cannot be opened.
    pub(super) damaged: Vec<Record>,
    /// Whether no stored resource is hidden or not current.
    is_complete: bool,
    /// The memory of the entries.
    pub(super) reserved: Reservation,
}

impl BuiltPage {
    /// Whether nothing that belongs to the page is damaged or hidden.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.is_complete
    }

    /// The resources that are shown, and those of `others` that are neither shown nor damaged.
    pub(super) fn records_with(&self, others: Vec<Record>) -> Vec<Record> {
        let id = |it: &Record| (it.subject.kind, it.subject.id);
        let of_page = self.records.iter().chain(&self.damaged);
        let of_page: HashSet<_> = of_page.map(id).collect();
        let others = others.into_iter().filter(|it| !of_page.contains(&id(it)));
        self.records.iter().copied().chain(others).collect()
    }
}

impl Records {
    /// Adds the entries of matches; returns the number of those that the page passes: shown, damaged, or deleted meanwhile.
    pub(super) async fn add_matches(
        &self,
        reader: Reader<'_>,
        owner: Owner,
        query: &ResourceQuery,
        page: &[Reference],
        builder: &mut PageBuilder<'_>,
    ) -> Result<usize, ServiceError> {
        let mut passed = 0_usize;
        self.open_each(reader, page, |reference, opened| {
            if builder.is_full() {
                return false;
            }
            passed = passed.saturating_add(1);
            match opened {
                Opened::Deleted => {}
                Opened::Damaged => builder.add_damaged(owner, [reference]),
                Opened::Live(stored) => {
                    builder.collect(query, &stored.resource);
                    builder.add(reference, stored, SearchMode::Match);
                }
            }
            true
        })
        .await?;
        Ok(passed)
    }
}

impl<'e> PageBuilder<'e> {
    /// A page without entries. `entry` makes an entry of a resource.
    pub(super) fn new(
        organization: OrganizationId,
        entry: MakeEntry<'e>,
        reserved: Reservation,
    ) -> Self {
        Self {
            organization,
            entry,
            page: BuiltPage {
                entries: Vec::new(),
                records: Vec::new(),
                damaged: Vec::new(),
                is_complete: true,
                reserved,
            },
            is_complete: true,
            shown: HashSet::new(),
            referred: HashSet::new(),
            included: Vec::new(),
            is_cut: false,
            unopened: Vec::new(),
            marked: HashSet::new(),
            bytes: 0,
        }
    }

    /// Whether the response is as long as it may be.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > MAX_RESPONSE_BYTES
    }

    /// Adds the entry of a resource.
    pub(super) fn add(&mut self, reference: Reference, stored: StoredResource, mode: SearchMode) {
        let record = stored.record(self.organization, reference.id);
        self.page.records.push(record);
        let mut reserved = stored.reserved;
        let entry = (self.entry)(stored.resource, stored.meta, mode);
        self.bytes = self.bytes.saturating_add(entry.len());
        // The entry, and its copy in the response.
        reserved.shrink_to(2 * entry.len());
        self.page.reserved.absorb(reserved);
        self.page.entries.push(entry);
        if mode == SearchMode::Match {
            self.shown.insert(reference);
        }
    }

    /// Adds resources of an owner that cannot be opened.
    pub(super) fn add_damaged(
        &mut self,
        owner: Owner,
        references: impl IntoIterator<Item = Reference>,
    ) {
        for reference in references {
            if self.marked.insert(reference) {
                self.unopened.push(reference);
                let record = resource_record(self.organization, reference, owner);
                self.page.damaged.push(record);
            }
        }
    }

    /// Collects the resources to which a match refers by the parameters of `_include`.
    fn collect(&mut self, query: &ResourceQuery, resource: &Resource) {
        if query.includes().is_empty() {
            return;
        }
        let values = SearchValues::of(resource);
        let includes = query.includes().iter();
        for reference in includes.flat_map(|include| values.included(include)) {
            if self.included.len() >= MAX_COLLECTED {
                self.is_cut = true;
                return;
            }
            if self.referred.insert(reference) {
                self.included.push(reference);
            }
        }
    }

    /// The page, with the outcomes about resources that could not be opened, are hidden, or are left out.
    pub(super) fn finish(self) -> Result<BuiltPage, ServiceError> {
        let mut page = self.page;
        page.is_complete = self.is_complete;
        let outcomes = search::unopened_entry(self.unopened)
            .into_iter()
            .chain((!self.is_complete).then(search::incomplete_entry))
            .chain(self.is_cut.then(search::included_in_part_entry));
        for entry in outcomes {
            page.reserved.grow(2 * entry.len())?;
            page.entries.push(entry);
        }
        Ok(page)
    }
}
