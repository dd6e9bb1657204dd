//! The pages of a search: matches and the resources that are included beside them, opened and made entries of.

use std::collections::HashMap;
use std::collections::HashSet;

use access::Permitted;
use access::Record;
use access::Search;
use fhir::Reference;
use fhir::Resource;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search;
use fhir::search::ResourceQuery;
use fhir::search::SearchMode;
use fhir::search::SearchValues;
use phi::OrganizationId;
use phi::Owner;

use super::DamagedRecord;
use super::Records;
use super::StoredResource;
use super::candidates::Candidate;
use super::candidates::SearchScope;
use super::damage::undamaged;
use super::may_disclose_whole;
use super::open::OpenVersion;
use super::resource_key;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::RESOURCES_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

/// A page while its resources are opened.
pub(super) struct PageBuilder<'e> {
    entry: &'e (dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync),
    pub(super) entries: Vec<EntryJson>,
    pub(super) records: Vec<Record>,
    pub(super) damaged: Vec<DamagedRecord>,
    shown: HashSet<Reference>,
    included: Vec<Reference>,
    /// The resources to which matches refer.
    referred: HashSet<Reference>,
    bytes: usize,
    pub(super) reserved: Reservation,
}

impl Records {
    /// Adds the entries of matches; returns the number of those that are shown or damaged.
    pub(super) async fn add_matches(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        query: &ResourceQuery,
        page: &[Reference],
        builder: &mut PageBuilder<'_>,
    ) -> Result<usize, ServiceError> {
        let mut damaged = Vec::new();
        let mut count = 0_usize;
        self.for_each_open(
            organization,
            caller,
            page,
            &mut damaged,
            |reference, stored| {
                if builder.bytes > MAX_RESPONSE_BYTES {
                    return false;
                }
                if !query.includes().is_empty() {
                    let values = SearchValues::of(&stored.resource);
                    let included = query.includes().iter();
                    let included = included.flat_map(|include| values.included(include));
                    builder
                        .included
                        .extend(included.take(MAX_INCLUDED_RESOURCES));
                }
                count = count.saturating_add(1);
                builder.add(organization, reference, stored, SearchMode::Match);
                true
            },
        )
        .await?;
        count = count.saturating_add(damaged.len());
        builder.damaged.append(&mut damaged);
        Ok(count)
    }

    /// Adds the entries of `_include` and `_revinclude`: resources of the same chart, and of the directory.
    pub(super) async fn add_included(
        &self,
        permitted: &Permitted<'_, Search>,
        owner: Owner,
        query: &ResourceQuery,
        builder: &mut PageBuilder<'_>,
    ) -> Result<(), ServiceError> {
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let mut wanted = std::mem::take(&mut builder.included);
        builder.referred = wanted.iter().copied().collect();
        for include in &query.results().revincludes {
            let scope = SearchScope {
                organization,
                caller,
                owner,
                resource_type: include.source(),
                needs_values: true,
            };
            let candidates = self.candidates(scope).await?;
            // A summary may have left a reference out: then the body decides.
            let refers = |candidate: &Candidate| {
                candidate.values.as_ref().is_none_or(|values| {
                    let mut references = values.included(include);
                    values.is_incomplete() || references.any(|it| builder.shown.contains(&it))
                })
            };
            let found = candidates.found.iter().filter(|it| refers(it));
            wanted.extend(found.map(|it| it.reference));
        }
        let mut seen = builder.shown.clone();
        wanted.retain(|reference| seen.insert(*reference));
        wanted.truncate(MAX_INCLUDED_RESOURCES);
        let mut damaged = Vec::new();
        self.for_each_open(
            organization,
            caller,
            &wanted,
            &mut damaged,
            |reference, stored| {
                let is_near =
                    stored.owner == owner || stored.owner == Owner::of_organization(organization);
                let record = stored.record(organization, reference.id);
                if builder.bytes > MAX_RESPONSE_BYTES {
                    return false;
                }
                if is_near
                    && may_disclose_whole(permitted, &record)
                    && builder.is_wanted(query, reference, &stored.resource)
                {
                    builder.add(organization, reference, stored, SearchMode::Include);
                }
                true
            },
        )
        .await
    }

    /// Opens resources in order, in batches whose memory is reserved first. Stops when `visit` returns false. Resources
    /// that cannot be opened are added to `damaged`; those that were deleted meanwhile are left out.
    pub(super) async fn for_each_open(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        references: &[Reference],
        damaged: &mut Vec<DamagedRecord>,
        mut visit: impl FnMut(Reference, StoredResource) -> bool,
    ) -> Result<(), ServiceError> {
        let key = |it: &Reference| resource_key(it.resource_type, it.id);
        let keys: Vec<_> = references.iter().map(key).collect();
        let batches = self.key_batches(organization, &keys, RESOURCES_PER_STATEMENT);
        for batch in batches.await? {
            let references = references.get(batch.range.clone()).unwrap_or_default();
            let sealed = self.read_readable(organization, caller, &keys, &batch);
            let (rows, _reserved) = sealed.await?.into_parts();
            let mut rows: HashMap<_, _> = rows
                .into_iter()
                .map(|row| ((row.head.kind.clone(), row.head.id), row))
                .collect();
            for reference in references.iter().copied() {
                let name = reference.resource_type.name();
                let Some(row) = rows.remove(&(name.to_owned(), reference.id)) else {
                    damaged.push(DamagedRecord::new(name, reference.id));
                    continue;
                };
                let open = self.open_current(organization, caller, row).await;
                match undamaged(open)? {
                    None => damaged.push(DamagedRecord::new(name, reference.id)),
                    Some(OpenVersion::Deleted(_)) => {}
                    Some(OpenVersion::Live(stored)) => {
                        if !visit(reference, stored) {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl<'e> PageBuilder<'e> {
    /// A page without entries. `entry` makes an entry of a resource.
    pub(super) fn new(
        entry: &'e (dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync),
        damaged: Vec<DamagedRecord>,
        reserved: Reservation,
    ) -> Self {
        Self {
            entry,
            entries: Vec::new(),
            records: Vec::new(),
            damaged,
            shown: HashSet::new(),
            included: Vec::new(),
            referred: HashSet::new(),
            bytes: 0,
            reserved,
        }
    }

    /// Adds the entry of a resource.
    fn add(
        &mut self,
        organization: OrganizationId,
        reference: Reference,
        stored: StoredResource,
        mode: SearchMode,
    ) {
        self.records.push(stored.record(organization, reference.id));
        let mut reserved = stored.reserved;
        let entry = (self.entry)(stored.resource, stored.meta, mode);
        self.bytes = self.bytes.saturating_add(entry.len());
        // The entry, and its copy in the response.
        reserved.shrink_to(2 * entry.len());
        self.reserved.absorb(reserved);
        self.entries.push(entry);
        if mode == SearchMode::Match {
            self.shown.insert(reference);
        }
    }

    /// Whether an opened resource is one that the includes name: a summary may have left out the reference by which
    /// `_revinclude` finds it.
    fn is_wanted(&self, query: &ResourceQuery, reference: Reference, resource: &Resource) -> bool {
        let revincludes = &query.results().revincludes;
        if revincludes.is_empty() || self.referred.contains(&reference) {
            return true;
        }
        let values = SearchValues::of(resource);
        let mut references = revincludes
            .iter()
            .flat_map(|include| values.included(include));
        references.any(|it| self.shown.contains(&it))
    }

    /// Adds the outcome that lists what could not be opened, and says whether resources are hidden.
    pub(super) fn finish(&mut self, is_complete: bool) -> Result<(), ServiceError> {
        let unopened = self.damaged.iter().filter_map(DamagedRecord::reference);
        for entry in search::unopened_entry(unopened)
            .into_iter()
            .chain((!is_complete).then(search::incomplete_entry))
        {
            self.reserved.grow(2 * entry.len())?;
            self.entries.push(entry);
        }
        Ok(())
    }
}
