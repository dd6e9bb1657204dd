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
use fhir::Resource;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search::Match;
use fhir::search::ResourceQuery;
use fhir::search::SearchMode;
use fhir::search::SearchValues;
use fhir::search::SortKey;
use fhir::search::SummaryMode;
use phi::OrganizationId;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::DamagedRecord;
use super::Records;
use super::candidates::Candidate;
use super::candidates::Candidates;
use super::candidates::SearchScope;
use super::ensure_all_fields;
use super::owner_of;
use super::resource_page::PageBuilder;
use super::subject;
use crate::limits::MAX_COMPARED_RESOURCES;
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

/// A match with its position in the order.
struct Matching {
    key: SortKey,
    reference: Reference,
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
        let candidates = self.searched(organization, caller, query).await?;
        let Candidates {
            found,
            damaged,
            is_complete,
            reserved: _candidates,
            ..
        } = candidates;
        let mut builder = PageBuilder::new(entry, damaged, self.memory.reserve(caller, 0)?);
        let mut matching = self
            .matching(organization, caller, query, found, &mut builder.damaged)
            .await?;
        matching.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let total = matching.len();
        let after = after.and_then(SortKey::decode);
        let first = after.map_or(0, |after| matching.partition_point(|it| it.key <= after));
        let page: Vec<_> = matching.iter().skip(first).map(|it| it.reference).collect();
        let results = query.results();
        let count = match results.summary {
            SummaryMode::Count => 0,
            SummaryMode::Whole | SummaryMode::Summary | SummaryMode::Text | SummaryMode::Data => {
                results.count
            }
        };
        let page = page.get(..count.min(page.len())).unwrap_or_default();
        let shown = self
            .add_matches(organization, caller, query, page, &mut builder)
            .await?;
        let count = first.saturating_add(shown);
        let last = count.checked_sub(1).and_then(|last| matching.get(last));
        let next = last.filter(|_| shown > 0 && count < total);
        let next = next.map(|last| last.key.encode());
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

    /// The resources that a query considers: those of its type in its patient's chart or the organization's, or those of
    /// its ids.
    async fn searched(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        query: &ResourceQuery,
    ) -> Result<Candidates, ServiceError> {
        let scope = SearchScope {
            organization,
            caller,
            owner: owner_of(organization, query.patient()),
            resource_type: query.resource_type(),
            needs_values: query.needs_values(),
        };
        match query.ids() {
            Some(ids) if query.patient().is_none() => self.candidates_by_id(scope, &ids).await,
            Some(_) | None => self.candidates(scope).await,
        }
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
        let candidates = self.searched(organization, caller, query).await?;
        let mut damaged = candidates.damaged;
        let matching = self.matching(organization, caller, query, candidates.found, &mut damaged);
        let matching = matching.await?;
        if !candidates.is_complete || !damaged.is_empty() {
            return Err(ServiceError::Internal);
        }
        let ids: Vec<_> = matching.iter().map(|it| it.reference.id).take(2).collect();
        let subject = subject(organization, query.resource_type());
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
}

/// Whether a candidate's values match, and its position; none without values.
fn verdict(query: &ResourceQuery, candidate: &Candidate) -> Option<(Match, Option<SortKey>)> {
    let (id, at) = (candidate.reference.id, candidate.last_updated);
    let values = candidate.values.as_ref()?;
    Some((query.matches(values), query.sort_key(id, at, values)))
}
