//! Searches for resources of one type: in a patient's chart, or in the organization's directory.
//!
//! Conditions are compared with sealed search values (`candidates`). Bodies are opened only of the resources that are
//! shown, and of those whose values do not decide.

use std::collections::HashMap;
use std::collections::HashSet;

use access::Disclosed;
use access::Permitted;
use access::Record;
use access::Search;
use access::disclose;
use access::disclose_partial;
use fhir::Reference;
use fhir::Resource;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search;
use fhir::search::Match;
use fhir::search::ResourceQuery;
use fhir::search::SearchMode;
use fhir::search::SearchValues;
use fhir::search::SortKey;
use phi::OrganizationId;
use phi::Owner;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::DamagedRecord;
use super::Records;
use super::StoredResource;
use super::candidates::Candidate;
use super::candidates::Candidates;
use super::damage::undamaged;
use super::ensure_all_fields;
use super::may_disclose_whole;
use super::open::OpenVersion;
use super::owner_of;
use super::resource_key;
use super::subject;
use crate::limits::MAX_COMPARED_RESOURCES;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::RESOURCES_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

/// The message for a search that would open more than [`MAX_COMPARED_RESOURCES`].
const TOO_BROAD: &str =
    "the search would open too many resources: add a parameter, such as code, category or date";

/// A page of matching resources, as entries of a searchset Bundle.
#[derive(Debug)]
pub(crate) struct ResourcePage {
    /// The entries: the matches in the requested order, then included resources, then the outcome that lists what cannot
    /// be opened.
    pub(crate) entries: Vec<EntryJson>,
    /// The number of all matches.
    pub(crate) total: usize,
    /// The encoded position of the last match of the page, if there are more.
    pub(crate) next: Option<Zeroizing<Vec<u8>>>,
    /// The memory of the entries, and of the response with them.
    pub(crate) reserved: Reservation,
}

/// A position in the matches of a search: the last match of a page, and the number of matches up to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct PagePosition {
    /// The last match.
    id: Uuid,
    /// The number of matches up to it, by which the page is found if the match has changed.
    count: usize,
}

/// A match with its position in the order.
struct Matching {
    key: SortKey,
    reference: Reference,
}

/// A page while its resources are opened.
struct PageBuilder<'e> {
    entry: &'e (dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync),
    entries: Vec<EntryJson>,
    records: Vec<Record>,
    damaged: Vec<DamagedRecord>,
    shown: HashSet<Reference>,
    included: Vec<Reference>,
    bytes: usize,
    reserved: Reservation,
}

impl Records {
    /// The resources that match a query, in a patient's chart or in the organization's directory: a page of them after a
    /// position. `entry` makes an entry of a resource.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unsupported`] for a search that would open too many resources.
    pub(crate) async fn search_type(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &ResourceQuery,
        after: Option<&[u8]>,
        entry: &(dyn Fn(Resource, VersionMeta, SearchMode) -> EntryJson + Send + Sync),
    ) -> Result<Disclosed<ResourcePage>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let owner = owner_of(organization, query.patient());
        let candidates = self
            .candidates(organization, caller, owner, query.resource_type())
            .await?;
        let Candidates {
            found,
            damaged,
            is_complete,
            reserved: _candidates,
            ..
        } = candidates;
        let mut builder = PageBuilder {
            entry,
            entries: Vec::new(),
            records: Vec::new(),
            damaged,
            shown: HashSet::new(),
            included: Vec::new(),
            bytes: 0,
            reserved: self.memory.reserve(caller, 0)?,
        };
        let mut matching = self
            .matching(organization, caller, query, found, &mut builder.damaged)
            .await?;
        matching.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let total = matching.len();
        let first = first_after(&matching, after.and_then(decode));
        let page: Vec<_> = matching.iter().skip(first).map(|it| it.reference).collect();
        let page = page
            .get(..query.results().count.min(page.len()))
            .unwrap_or_default();
        let shown = self
            .add_matches(organization, caller, query, page, &mut builder)
            .await?;
        let last = first.saturating_add(shown);
        let next = page
            .get(shown.saturating_sub(1))
            .filter(|_| shown > 0 && last < total);
        let next = next.map(|last_shown| {
            encode(PagePosition {
                id: last_shown.id,
                count: last,
            })
        });
        self.add_included(permitted, owner, query, &mut builder)
            .await?;
        builder.finish(is_complete)?;
        let page = ResourcePage {
            entries: builder.entries,
            total,
            next,
            reserved: builder.reserved,
        };
        let (records, damaged) = (builder.records, builder.damaged);
        if damaged.is_empty() && is_complete {
            return Ok(disclose(&self.trail, permitted, &records, page).await?);
        }
        let damaged = damaged.iter().map(|it| it.record_of(organization, owner));
        let damaged: Vec<_> = damaged.collect();
        Ok(disclose_partial(&self.trail, permitted, &records, &damaged, page).await?)
    }

    /// The ids of at most two resources that match a query: enough to know whether there is one. Only the matches are
    /// disclosed, by their ids.
    ///
    /// # Errors
    ///
    /// See [`Self::search_type`]; [`ServiceError::Internal`] if stored resources are damaged or missing: a match that is
    /// not found would be created a second time.
    pub(crate) async fn resource_ids(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &ResourceQuery,
    ) -> Result<Disclosed<Vec<Uuid>>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let owner = owner_of(organization, query.patient());
        let resource_type = query.resource_type();
        let candidates = self.candidates(organization, caller, owner, resource_type);
        let candidates = candidates.await?;
        let mut damaged = candidates.damaged;
        let matching = self.matching(organization, caller, query, candidates.found, &mut damaged);
        let matching = matching.await?;
        if !candidates.is_complete || !damaged.is_empty() {
            return Err(ServiceError::Internal);
        }
        let ids: Vec<_> = matching.iter().map(|it| it.reference.id).take(2).collect();
        let subject = subject(organization, resource_type);
        let subject = query
            .patient()
            .map_or(subject, |it| subject.patient(it.into()));
        let records: Vec<_> = ids.iter().map(|id| Record::from(subject.id(*id))).collect();
        Ok(disclose(&self.trail, permitted, &records, ids).await?)
    }

    /// The candidates that match, with their positions.
    async fn matching(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        query: &ResourceQuery,
        candidates: Vec<Candidate>,
        damaged: &mut Vec<DamagedRecord>,
    ) -> Result<Vec<Matching>, ServiceError> {
        let mut matching = Vec::new();
        let mut undecided = Vec::new();
        for candidate in candidates {
            let (id, at) = (candidate.reference.id, candidate.last_updated);
            if !query.matches_head(id, at) {
                continue;
            }
            match verdict(query, &candidate) {
                Some((Match::No, _)) => {}
                Some((Match::Yes, Some(key))) => matching.push(Matching {
                    key,
                    reference: candidate.reference,
                }),
                Some((Match::OpenBody | Match::Yes, _)) | None => {
                    undecided.push(candidate.reference);
                }
            }
        }
        if undecided.len() > MAX_COMPARED_RESOURCES {
            return Err(ServiceError::Unsupported(TOO_BROAD));
        }
        self.for_each_open(
            organization,
            caller,
            &undecided,
            damaged,
            |reference, stored| {
                let values = SearchValues::of(&stored.resource);
                let at = stored.meta.last_updated;
                if query.matches(&values) == Match::Yes
                    && let Some(key) = query.sort_key(reference.id, at, &values)
                {
                    matching.push(Matching { key, reference });
                }
                true
            },
        )
        .await?;
        Ok(matching)
    }

    /// Adds the entries of matches; returns the number of those that are shown or damaged.
    async fn add_matches(
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
    async fn add_included(
        &self,
        permitted: &Permitted<'_, Search>,
        owner: Owner,
        query: &ResourceQuery,
        builder: &mut PageBuilder<'_>,
    ) -> Result<(), ServiceError> {
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let mut wanted = std::mem::take(&mut builder.included);
        let matches: Vec<_> = builder.shown.iter().copied().collect();
        for include in &query.results().revincludes {
            let candidates = self.candidates(organization, caller, owner, include.source());
            let candidates = candidates.await?;
            let refers = |candidate: &Candidate| {
                let values = candidate.values.as_ref();
                let refers = |found| {
                    values.is_none_or(|values| include.refers_to(values, found) != Match::No)
                };
                matches.iter().copied().any(refers)
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
                    && builder.is_wanted(query, &stored.resource)
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
    async fn for_each_open(
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

impl PageBuilder<'_> {
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
    fn is_wanted(&self, query: &ResourceQuery, resource: &Resource) -> bool {
        let mut sources = query.results().revincludes.iter();
        let is_source = |include: &&search::Include| include.source() == resource.resource_type();
        let Some(include) = sources.find(is_source) else {
            return true;
        };
        let values = SearchValues::of(resource);
        let refers = |found| include.refers_to(&values, found) == Match::Yes;
        self.shown.iter().copied().any(refers) || !query.includes().is_empty()
    }

    /// Adds the outcome that lists what could not be opened, and says whether resources are hidden.
    fn finish(&mut self, is_complete: bool) -> Result<(), ServiceError> {
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

/// Whether a candidate's values match, and its position; none without values.
fn verdict(query: &ResourceQuery, candidate: &Candidate) -> Option<(Match, Option<SortKey>)> {
    let (id, at) = (candidate.reference.id, candidate.last_updated);
    let empty;
    let values = match &candidate.values {
        Some(values) => values,
        None if query.needs_values() => return None,
        None => {
            empty = SearchValues::empty(candidate.reference.resource_type);
            &empty
        }
    };
    Some((query.matches(values), query.sort_key(id, at, values)))
}

/// The index of the first match after a position.
fn first_after(matching: &[Matching], after: Option<PagePosition>) -> usize {
    let Some(after) = after else { return 0 };
    let last = matching.iter().position(|it| it.reference.id == after.id);
    last.map_or(after.count, |last| last.saturating_add(1))
}

/// The encoding of a position: id[16] | count[8].
fn encode(position: PagePosition) -> Zeroizing<Vec<u8>> {
    let count = u64::try_from(position.count).unwrap_or(u64::MAX);
    Zeroizing::new([&position.id.as_bytes()[..], &count.to_be_bytes()].concat())
}

/// The position of an encoding; none for other bytes.
fn decode(bytes: &[u8]) -> Option<PagePosition> {
    let (id, count) = bytes.split_first_chunk::<16>()?;
    let count = u64::from_be_bytes(count.try_into().ok()?);
    Some(PagePosition {
        id: Uuid::from_bytes(*id),
        count: usize::try_from(count).ok()?,
    })
}
