//! The resources that a search includes beside its matches: `_include` and `_revinclude`.
//!
//! Included are resources of the searched chart and of the directory that the caller may read. What is not in reach is left
//! out without a mark, whether or not it is damaged: its existence must not be disclosed.

use access::Permitted;
use access::Record;
use access::Search;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::search::Include;
use fhir::search::ResourceQuery;
use fhir::search::SearchMode;
use fhir::search::SearchValues;
use phi::Owner;

use super::Records;
use super::candidates::Candidate;
use super::candidates::SearchScope;
use super::damage::undamaged;
use super::may_disclose_whole;
use super::open::resource_record;
use super::open_each::Opened;
use super::reader::Reader;
use super::resource_key;
use super::resource_page::PageBuilder;
use super::subject;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::services::error::ServiceError;

/// The resources that a search may include.
#[derive(Clone, Copy)]
struct IncludeScope<'s> {
    permitted: &'s Permitted<'s, Search>,
    reader: Reader<'s>,
    /// The owner of the searched resources.
    owner: Owner,
    query: &'s ResourceQuery,
}

impl Records {
    /// Adds the entries of included resources.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(super) async fn add_included(
        &self,
        permitted: &Permitted<'_, Search>,
        reader: Reader<'_>,
        owner: Owner,
        query: &ResourceQuery,
        builder: &mut PageBuilder<'_>,
    ) -> Result<(), ServiceError> {
        let scope = IncludeScope {
            permitted,
            reader,
            owner,
            query,
        };
        let wanted = self.wanted(scope, builder).await?;
        let mut damaged = Vec::new();
        self.open_each(reader, &wanted, |reference, opened| {
            if builder.is_full() {
                builder.is_cut = true;
                return false;
            }
            match opened {
                Opened::Deleted => {}
                Opened::Damaged => damaged.push(reference),
                Opened::Live(stored) => {
                    let record = stored.record(reader.organization, reference.id);
                    if scope.includes(stored.owner, &record)
                        && is_wanted(query, reference, &stored.resource, builder)
                    {
                        builder.add(reference, stored, SearchMode::Include);
                    }
                }
            }
            true
        })
        .await?;
        for reference in damaged {
            self.add_damaged_include(scope, reference, builder).await?;
        }
        Ok(())
    }

    /// The stored resources that may be included, at most as many as a page may have.
    async fn wanted(
        &self,
        scope: IncludeScope<'_>,
        builder: &mut PageBuilder<'_>,
    ) -> Result<Vec<Reference>, ServiceError> {
        let mut wanted = std::mem::take(&mut builder.included);
        // Without a match there is nothing to which a resource could refer.
        if !builder.shown.is_empty() {
            for include in &scope.query.results().revincludes {
                self.add_referring(scope, include, builder, &mut wanted)
                    .await?;
            }
        }
        let mut seen = builder.shown.clone();
        wanted.retain(|it| scope.may_read(it.resource_type) && seen.insert(*it));
        if wanted.len() > MAX_INCLUDED_RESOURCES {
            builder.is_cut = true;
            wanted.truncate(MAX_INCLUDED_RESOURCES);
        }
        self.stored(scope.reader, &wanted).await
    }

    /// Adds the resources that may refer to a match by the parameter of a `_revinclude`.
    async fn add_referring(
        &self,
        scope: IncludeScope<'_>,
        include: &Include,
        builder: &mut PageBuilder<'_>,
        wanted: &mut Vec<Reference>,
    ) -> Result<(), ServiceError> {
        if !scope.may_read(include.source()) {
            return Ok(());
        }
        let searched = SearchScope {
            reader: scope.reader,
            owner: scope.owner,
            resource_type: include.source(),
            needs_values: true,
        };
        let candidates = self.candidates(searched).await?;
        builder.is_complete &= candidates.is_complete;
        builder.add_damaged(scope.owner, candidates.damaged);
        // A summary may have left a reference out: then the body decides.
        let refers = |candidate: &Candidate| {
            candidate.values.as_ref().is_none_or(|values| {
                let mut references = values.included(include);
                values.is_incomplete() || references.any(|it| builder.shown.contains(&it))
            })
        };
        let found = candidates.found.iter().filter(|it| refers(it));
        wanted.extend(found.map(|it| it.reference));
        Ok(())
    }

    /// Marks a resource that cannot be opened, if it is in reach according to its stored row. Without a row that can be
    /// read, the result is not complete.
    async fn add_damaged_include(
        &self,
        scope: IncludeScope<'_>,
        reference: Reference,
        builder: &mut PageBuilder<'_>,
    ) -> Result<(), ServiceError> {
        let organization = scope.reader.organization;
        let key = resource_key(reference.resource_type, reference.id);
        let head = undamaged(self.database.resource(organization, &key).await)?.flatten();
        let owner = match head {
            Some(head) => undamaged(head.owner())?,
            None => None,
        };
        match owner {
            None => builder.is_complete = false,
            Some(owner) => {
                let record = resource_record(organization, reference, owner);
                if scope.includes(owner, &record) {
                    builder.add_damaged(owner, [reference]);
                }
            }
        }
        Ok(())
    }
}

impl IncludeScope<'_> {
    /// Whether the caller may read resources of a type, in the searched chart or in the directory.
    fn may_read(&self, resource_type: ResourceType) -> bool {
        let of_type = subject(self.reader.organization, resource_type);
        let in_chart = self.owner.patient().map(|it| of_type.patient(it.into()));
        let subjects = [Some(of_type), in_chart].into_iter().flatten();
        subjects
            .map(Record::from)
            .any(|record| may_disclose_whole(self.permitted, &record))
    }

    /// Whether a resource of this owner may be included.
    fn includes(&self, owner: Owner, record: &Record) -> bool {
        let is_near =
            owner == self.owner || owner == Owner::of_organization(self.reader.organization);
        is_near && may_disclose_whole(self.permitted, record)
    }
}

/// Whether an opened resource is one that the includes name: a summary may have left out the reference by which
/// `_revinclude` finds it.
fn is_wanted(
    query: &ResourceQuery,
    reference: Reference,
    resource: &Resource,
    builder: &PageBuilder<'_>,
) -> bool {
    let revincludes = &query.results().revincludes;
    if revincludes.is_empty() || builder.referred.contains(&reference) {
        return true;
    }
    let values = SearchValues::of(resource);
    let mut references = revincludes
        .iter()
        .flat_map(|include| values.included(include));
    references.any(|it| builder.shown.contains(&it))
}
