//! `GET /fhir/Patient/{id}/$everything`: the chart of a patient, in pages.

use access::Read;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::ResourceType;
use fhir::everything::EverythingQuery;
use fhir::search;
use fhir::search::Searchset;
use http::HeaderMap;
use zeroize::Zeroizing;

use super::FhirError;
use super::bundle_response;
use super::compartment;
use super::cursor;
use super::parameters::EverythingParameters;
use super::parameters::FormatQuery;
use super::parameters::PatientPath;
use super::parameters::SubsetQuery;
use super::request;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The Patient, the other resources of its chart, and the resources of the organization to which these refer.
///
/// # Errors
///
/// 404, also for a patient of another organization, and for a deleted one; see
/// [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}/$everything",
    operation_id = "fhir.everything",
    params(PatientPath, Id, EverythingParameters, FormatQuery, SubsetQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn everything(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::require_json_accepted(&headers)?;
    let patient = compartment::patient(&resource_type, &id)?;
    let path = format!("{patient}/$everything");
    let parameters = Zeroizing::new(query.unwrap_or_default().into_bytes());
    let page = cursor::open(&app, &caller, &path, parameters).await?;
    let query = EverythingQuery::parse(&page.query)?;
    let subject = subject(caller.organization(), ResourceType::Patient);
    let subject = subject.id(patient.id).patient(patient.id.into());
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    let (origin, form) = (&app.public_origin, &query.form);
    let entry =
        |resource, meta, mode| search::searchset_entry(origin, form.subset(resource), meta, mode);
    let after = page.position.as_deref().map(Vec::as_slice);
    let records = &app.records;
    let (budget, of) = (RequestBudget::new(), patient.id.into());
    let found = records.everything(&permitted, &budget, of, &query, after, &entry);
    let found = found.await?;
    let sealed = cursor::seal(&app, &caller, path.clone(), page.query, found, |found| {
        found.next.take()
    });
    let (found, next) = sealed.await?;
    Ok(bundle_response(found.map(|mut found| {
        found
            .entries
            .extend(next.is_cut.then(search::unpaged_entry));
        let searchset = Searchset {
            origin,
            path: &path,
            total: None,
            next: next.cursor.as_deref(),
        };
        let bundle = form.render(searchset.bundle(found.entries));
        (bundle, found.reserved)
    })))
}
