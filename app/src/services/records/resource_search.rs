//! Searches for resources of one type: in a patient's chart, or in the organization's directory.
//!
//! Conditions are compared with sealed search values (`candidates`). Bodies are opened only of the resources that are
//! shown, and of those whose values do not decide.

use access::Disclosed;
use access::Permitted;
use access::Record;
use access::Search;
use access::disclose;
use access::disclose_partial;
use fhir::Reference;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search::Match;
use fhir::search::ResourceQuery;
use fhir::search::SearchValues;
use fhir::search::SortKey;
use fhir::search::SummaryMode;
use phi::OrganizationId;
use zeroize::Zeroizing;

use super::Records;
use super::candidates::Candidate;
use super::candidates::Candidates;
use super::candidates::SearchScope;
use super::ensure_all_fields;
use super::open::resource_record;
use super::open_each::Opened;
use super::owner_of;
use super::reader::Reader;
use super::resource_page::MakeEntry;
use super::resource_page::PageBuilder;
use crate::limits::MAX_COMPARED_RESOURCES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;

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

/// A match with its position in the order.
pub(super) struct Matching {
    key: SortKey,
    /// The resource.
    pub(super) reference: Reference,
    /// The version that was compared, and the time at which it was stored.
    pub(super) meta: VersionMeta,
}

impl Records {
    /// The resources that match a query, in a patient's chart or in the organization's directory: a page of them after a
    /// position. `entry` makes an entry of a resource.
    ///
    /// The event names the resources that are shown. If there are none, it names the chart: that nothing matches, or how
    /// many do, is disclosed. A search by ids outside a chart has no such chart, and its event names each resource that was
    /// compared.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unsupported`] for a search that would open too many resources; [`ServiceError::TooCostly`] if the
    /// budget of the request is used up.
    pub(crate) async fn search_type(
        &self,
        permitted: &Permitted<'_, Search>,
        budget: &RequestBudget,
        query: &ResourceQuery,
        after: Option<&[u8]>,
        entry: MakeEntry<'_>,
    ) -> Result<Disclosed<ResourcePage>, ServiceError> {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let owner = owner_of(reader.organization, query.patient());
        let candidates = self.searched(reader, query).await?;
        let compared = compared_by_id(reader.organization, query, &candidates.found);
        let reserved = self.memory.reserve(reader.caller, 0)?;
        let mut builder = PageBuilder::new(reader.organization, entry, reserved);
        builder.is_complete = candidates.is_complete;
        let mut damaged = candidates.damaged;
        let matching = self.matching(reader, query, &candidates.found, &mut damaged);
        let mut matching = matching.await?;
        builder.add_damaged(owner, damaged);
        matching.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let total = matching.len();
        let after = after.and_then(SortKey::decode);
        let first = after.map_or(0, |after| matching.partition_point(|it| it.key <= after));
        let page = matching.iter().skip(first).take(page_length(query));
        let page: Vec<_> = page.map(|it| it.reference).collect();
        let passed = self
            .add_matches(reader, owner, query, &page, &mut builder)
            .await?;
        let count = first.saturating_add(passed);
        let last = count.checked_sub(1).and_then(|last| matching.get(last));
        let next = last.filter(|_| passed > 0 && count < total);
        let next = next.map(|last| last.key.encode());
        self.add_included(permitted, reader, owner, query, &mut builder)
            .await?;
        let page = builder.finish()?;
        let records = page.records_with(compared);
        let (is_whole, damaged) = (page.is_whole(), page.damaged);
        let found = ResourcePage {
            entries: page.entries,
            total,
            next,
            reserved: page.reserved,
        };
        if is_whole {
            return Ok(disclose(&self.trail, permitted, &records, found).await?);
        }
        Ok(disclose_partial(&self.trail, permitted, &records, &damaged, found).await?)
    }

    /// The resources that a query considers: those of its type in its patient's chart or the organization's, or those of
    /// its ids.
    async fn searched(
        &self,
        reader: Reader<'_>,
        query: &ResourceQuery,
    ) -> Result<Candidates, ServiceError> {
        let scope = SearchScope {
            reader,
            owner: owner_of(reader.organization, query.patient()),
            resource_type: query.resource_type(),
            needs_values: query.needs_values(),
        };
        match query.ids() {
            Some(ids) if query.patient().is_none() => self.candidates_by_id(scope, &ids).await,
            Some(_) | None => self.candidates(scope).await,
        }
    }

    /// The candidates that match, with their positions.
    pub(super) async fn matching(
        &self,
        reader: Reader<'_>,
        query: &ResourceQuery,
        candidates: &[Candidate],
        damaged: &mut Vec<Reference>,
    ) -> Result<Vec<Matching>, ServiceError> {
        let mut matching = Vec::new();
        let mut undecided = Vec::new();
        for candidate in candidates {
            let (id, at) = (candidate.reference.id, candidate.last_updated);
            if !query.matches_head(id, at) {
                continue;
            }
            match verdict(query, candidate) {
                Some((Match::No, _)) => {}
                Some((Match::Yes, Some(key))) => matching.push(Matching {
                    key,
                    reference: candidate.reference,
                    meta: VersionMeta {
                        version: u64::from(candidate.version),
                        last_updated: at,
                    },
                }),
                Some((Match::OpenBody | Match::Yes, _)) | None => {
                    undecided.push(candidate.reference);
                }
            }
        }
        if undecided.len() > MAX_COMPARED_RESOURCES {
            return Err(ServiceError::Unsupported(TOO_BROAD));
        }
        self.open_each(reader, &undecided, |reference, opened| {
            match opened {
                Opened::Damaged => damaged.push(reference),
                Opened::Deleted => {}
                Opened::Live(stored) => {
                    let values = SearchValues::of(&stored.resource);
                    let at = stored.meta.last_updated;
                    if query.matches(&values) == Match::Yes
                        && let Some(key) = query.sort_key(reference.id, at, &values)
                    {
                        let meta = stored.meta;
                        matching.push(Matching {
                            key,
                            reference,
                            meta,
                        });
                    }
                }
            }
            true
        })
        .await?;
        Ok(matching)
    }
}

/// The largest number of matches in a page.
fn page_length(query: &ResourceQuery) -> usize {
    let results = query.results();
    match results.summary {
        SummaryMode::Count => 0,
        SummaryMode::Whole | SummaryMode::Summary | SummaryMode::Text | SummaryMode::Data => {
            results.count
        }
    }
}

/// The candidates of a search by ids outside a chart, as its event names them: that one does not match, or that it exists, is
/// disclosed, too. None for other searches.
fn compared_by_id(
    organization: OrganizationId,
    query: &ResourceQuery,
    candidates: &[Candidate],
) -> Vec<Record> {
    if query.patient().is_some() || query.ids().is_none() {
        return Vec::new();
    }
    let candidates = candidates.iter();
    let record = |it: &Candidate| resource_record(organization, it.reference, it.owner);
    candidates.map(record).collect()
}

/// Whether a candidate's values match, and its position; none without values.
fn verdict(query: &ResourceQuery, candidate: &Candidate) -> Option<(Match, Option<SortKey>)> {
    let (id, at) = (candidate.reference.id, candidate.last_updated);
    let values = candidate.values.as_ref()?;
    Some((query.matches(values), query.sort_key(id, at, values)))
}
