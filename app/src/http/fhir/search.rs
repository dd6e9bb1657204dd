//! The search interaction: `POST /fhir/{type}/_search`, and `GET /fhir/{type}` with opaque parameters.

use access::Caller;
use access::Disclosed;
use access::Search;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::Compartment;
use fhir::ResourceType;
use fhir::ResponseForm;
use fhir::search;
use fhir::search::ResourceQuery;
use fhir::search::Searchset;
use fhir::search::SummaryMode;
use fhir::search::Total;
use http::HeaderMap;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::FhirError;
use super::bundle_response;
use super::cursor;
use super::parameters::FormatQuery;
use super::parameters::SearchForm;
use super::parameters::SearchQuery;
use super::parameters::TypePath;
use super::request;
use crate::http::authentication::CurrentCaller;
use crate::http::body::RequestBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::limits::MAX_FORM_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The matches of a search form.
///
/// # Errors
///
/// 400 for a malformed form; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    post,
    path = "/fhir/{type}/_search",
    operation_id = "fhir.search_by_form",
    params(TypePath, SearchQuery, FormatQuery),
    request_body(content = inline(SearchForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn by_form(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let resource_type = request::resource_type(&resource_type)?;
    request::require_form_body(&headers)?;
    request::require_json_accepted(&headers)?;
    let query = query.unwrap_or_default();
    search::url::screen(resource_type, &app.fhir_base(), &query)?;
    // Permitted before the body is read, so that a refused request uses no memory.
    let subject = subject(caller.organization(), resource_type);
    let _permitted = app.gate.permit(&caller, Search, subject).await?;
    let share = CallerId::of(&caller);
    let form = RequestBody::read(&app.memory, share, body, MAX_FORM_BYTES).await?;
    let parameters = joined(&query, form.bytes());
    respond(&app, &caller, resource_type, parameters).await
}

/// The matches of a search by opaque parameters, and the next page of any search.
///
/// # Errors
///
/// 400 for a parameter that may identify a person: the outcome shows the POST that is sent instead.
#[utoipa::path(
    get,
    path = "/fhir/{type}",
    operation_id = "fhir.search",
    params(TypePath, SearchQuery, FormatQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn by_url(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let resource_type = request::resource_type(&resource_type)?;
    request::require_json_accepted(&headers)?;
    let query = query.unwrap_or_default();
    search::url::screen(resource_type, &app.fhir_base(), &query)?;
    respond(
        &app,
        &caller,
        resource_type,
        Zeroizing::new(query.into_bytes()),
    )
    .await
}

/// The parameters of a URL and of a form, as one form.
fn joined(query: &str, form: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(query.len() + form.len() + 1));
    all.extend_from_slice(form);
    if !query.is_empty() && !form.is_empty() {
        all.push(b'&');
    }
    all.extend_from_slice(query.as_bytes());
    all
}

async fn respond(
    app: &AppState,
    caller: &Caller,
    resource_type: ResourceType,
    parameters: Zeroizing<Vec<u8>>,
) -> Result<Response, FhirError> {
    let budget = RequestBudget::new();
    let found = searchset(app, caller, &budget, resource_type, parameters).await?;
    Ok(bundle_response(found))
}

/// The searchset of form-encoded parameters, which may be a cursor, with its memory.
///
/// # Errors
///
/// The outcome of parameters that are not supported, or another error.
pub(super) async fn searchset(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    resource_type: ResourceType,
    parameters: Zeroizing<Vec<u8>>,
) -> Result<Disclosed<(Zeroizing<Vec<u8>>, Reservation)>, FhirError> {
    if resource_type == ResourceType::Patient {
        let interaction = format!("search/{resource_type}");
        let page = cursor::open(app, caller, &interaction, parameters).await?;
        return super::search_patients::searchset(app, caller, budget, interaction, page).await;
    }
    resources(app, caller, budget, (resource_type, None), parameters).await
}

/// The searchset of resources of another type than Patient, in the compartment of a patient if one is named.
///
/// # Errors
///
/// See [`searchset`].
pub(super) async fn resources(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    (resource_type, compartment): (ResourceType, Option<Uuid>),
    parameters: Zeroizing<Vec<u8>>,
) -> Result<Disclosed<(Zeroizing<Vec<u8>>, Reservation)>, FhirError> {
    let path = match compartment {
        Some(patient) => format!("Patient/{patient}/{resource_type}"),
        None => resource_type.name().to_owned(),
    };
    let interaction = format!("search/{path}");
    let page = cursor::open(app, caller, &interaction, parameters).await?;
    let query = ResourceQuery::parse(resource_type, &app.fhir_base(), &page.query, None)?;
    let query = match compartment {
        Some(patient) => query.within(patient)?,
        None => query,
    };
    let subject = subject(caller.organization(), resource_type);
    let is_in_charts = resource_type.compartment() == Some(Compartment::Patient);
    let subject = match query.patient() {
        Some(patient) => subject.patient(patient.into()),
        None if is_in_charts && query.ids().is_none() => {
            subject.patient(query.require_patient()?.into())
        }
        None => subject,
    };
    let permitted = app.gate.permit(caller, Search, subject).await?;
    let form = ResponseForm::from(query.results());
    let origin = &app.public_origin;
    let entry =
        |resource, meta, mode| search::searchset_entry(origin, form.subset(resource), meta, mode);
    let after = page.position.as_deref().map(Vec::as_slice);
    let records = &app.records;
    let found = records.search_type(&permitted, budget, &query, after, &entry);
    let found = found.await?;
    let sealed = cursor::seal(app, caller, interaction, page.query, found, |found| {
        found.next.take()
    });
    let (found, next) = sealed.await?;
    let results = query.results();
    let show_total = results.total != Total::None || results.summary == SummaryMode::Count;
    Ok(found.map(|mut found| {
        found
            .entries
            .extend(next.is_cut.then(search::unpaged_entry));
        let searchset = Searchset {
            origin,
            path: &path,
            total: show_total.then_some(found.total),
            next: next.cursor.as_deref(),
        };
        (form.render(searchset.bundle(found.entries)), found.reserved)
    }))
}
