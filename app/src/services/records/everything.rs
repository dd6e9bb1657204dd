//! The operation `Patient/$everything`: the Patient, the other resources of its chart, and the resources of the
//! organization to which these refer, in pages.
//!
//! Each page begins with all heads of the chart, which are compared with the owner's set, and opens only the bodies that it
//! shows. Resources of the organization are at the end, each once. Their references are collected on the way if the chart
//! fits into one page; otherwise the page after the chart opens the chart's bodies a second time.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Unsuccessful;
use access::disclose;
use access::disclose_partial;
use access::record_unsuccessful;
use fhir::Reference;
use fhir::ResourceType;
use fhir::everything::EverythingQuery;
use fhir::search::SearchMode;
use phi::Owner;
use phi::PatientId;

use super::Records;
use super::chart_heads::ChartHeads;
use super::open_each::Opened;
use super::reader::Reader;
use super::resource_page::MakeEntry;
use crate::limits::MAX_COMPARED_RESOURCES;
use crate::limits::MAX_INCLUDED_RESOURCES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;

mod page;
mod position;
mod scope;

use page::EverythingPage;
use page::PageBuilder;
use position::EverythingPosition;
use position::after;
use scope::Scope;

/// The memory of a reference to a resource of the organization, in bytes.
const REFERENCE_BYTES: usize = 128;

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
        budget: &RequestBudget,
        patient: PatientId,
        query: &EverythingQuery,
        position: Option<&[u8]>,
        entry: MakeEntry<'_>,
    ) -> Result<Disclosed<EverythingPage>, ServiceError> {
        let scope = Scope {
            permitted,
            reader: Reader::begin(permitted, budget)?,
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
        let (organization, caller) = (scope.reader.organization, scope.reader.caller);
        let heads = self.chart_heads(organization, caller, scope.patient);
        let Some(heads) = heads.await? else {
            return Ok(None);
        };
        let ChartHeads {
            resources: chart,
            is_complete,
            reserved: _heads,
            ..
        } = heads;
        let mut builder = PageBuilder::new(entry, self.memory.reserve(caller, 0)?);
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
        self.open_each(scope.reader, &[patient], |reference, opened| {
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
        self.open_each(
            scope.reader,
            window.unwrap_or_default(),
            |reference, opened| {
                if builder.is_full(scope.query.count) {
                    is_full = true;
                    return false;
                }
                seen = Some(reference);
                match opened {
                    Opened::Damaged => builder.add_damaged(scope, reference),
                    Opened::Live(stored) if scope.is_current(&stored) => {
                        builder.collect(&stored);
                        builder.add(scope, reference, stored, SearchMode::Match);
                    }
                    Opened::Deleted | Opened::Live(_) => {}
                }
                true
            },
        )
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
        self.open_each(scope.reader, &readable, |_, opened| {
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
        let window = self
            .stored(scope.reader, window.unwrap_or_default())
            .await?;
        let mut next = None;
        let mut seen = last;
        self.open_each(scope.reader, &window, |reference, opened| {
            if builder.bytes > MAX_RESPONSE_BYTES {
                next = Some(EverythingPosition::Directory(seen));
                return false;
            }
            seen = Some(reference);
            match opened {
                Opened::Deleted => {}
                Opened::Damaged => builder.add_damaged(scope, reference),
                Opened::Live(stored) => {
                    if stored.owner == Owner::of_organization(scope.reader.organization) {
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
}
