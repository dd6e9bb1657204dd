//! Searches for patients.

use access::Caller;
use access::Disclosed;
use access::Search;
use fhir::ResourceType;
use fhir::search;
use fhir::search::SearchMode;
use fhir::search::Searchset;
use zeroize::Zeroizing;

use super::FhirError;
use super::cursor;
use super::cursor::Page;
use crate::http::state::AppState;
use crate::services::budget::Reservation;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The searchset of the patients that a page's query matches, with its memory.
///
/// # Errors
///
/// The outcome of parameters that are not supported, or another error.
pub(super) async fn searchset(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    interaction: String,
    page: Page,
) -> Result<Disclosed<(Zeroizing<Vec<u8>>, Reservation)>, FhirError> {
    let resource_type = ResourceType::Patient;
    let mut query = search::parse(&page.query, None)?;
    let subject = subject(caller.organization(), resource_type);
    let subject = match query.only_id() {
        Some(id) => subject.id(id).patient(id.into()),
        None => subject,
    };
    let permitted = app.gate.permit(caller, Search, subject).await?;
    if query.form.is_count() {
        query.count = 0;
    }
    let (origin, form) = (&app.public_origin, &query.form);
    let after = page.position.as_deref().map(Vec::as_slice);
    let found = app
        .records
        .search_resources(&permitted, budget, &query, after, |patient, meta| {
            let patient = form.subset(patient);
            search::searchset_entry(origin, patient, meta, SearchMode::Match)
        });
    let found = found.await?;
    let sealed = cursor::seal(app, caller, interaction, page.query, found, |found| {
        found.next.take()
    });
    let (found, next) = sealed.await?;
    Ok(found.map(|mut found| {
        found
            .entries
            .extend(next.is_cut.then(search::unpaged_entry));
        if found.is_truncated {
            found.entries.push(search::truncated_entry());
        }
        let searchset = Searchset {
            origin,
            path: resource_type.name(),
            total: (!query.omits_total).then_some(found.total),
            next: next.cursor.as_deref(),
        };
        (form.render(searchset.bundle(found.entries)), found.reserved)
    }))
}
