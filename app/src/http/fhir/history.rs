//! The history interaction: former versions of a resource, and of the resources of one type in a chart.

use access::Caller;
use access::Disclosed;
use access::Read;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResponseForm;
use fhir::history::HistoryQuery;
use fhir::history::history_bundle;
use fhir::history::history_entry;
use http::HeaderMap;
use zeroize::Zeroizing;

use super::FhirError;
use super::bundle_response;
use super::cursor;
use super::cursor::Page;
use super::parameters::FormatQuery;
use super::parameters::HistoryParameters;
use super::parameters::SubsetQuery;
use super::parameters::TypePath;
use super::request;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::services::budget::Reservation;
use crate::services::records::HistoryPage;
use crate::services::records::HistoryRange;
use crate::services::records::HistoryVersion;
use crate::services::records::OpenVersion;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The history of a resource, newest version first.
///
/// # Errors
///
/// 404, also for a resource of another organization; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}/_history",
    operation_id = "fhir.history_of_resource",
    params(TypePath, Id, HistoryParameters, FormatQuery, SubsetQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn of_resource(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::require_json_accepted(&headers)?;
    let target = request::reference(&resource_type, &id)?;
    let parameters = Zeroizing::new(query.unwrap_or_default().into_bytes());
    let budget = RequestBudget::new();
    let history = resource_history(&app, &caller, &budget, target, parameters).await?;
    Ok(bundle_response(history))
}

/// The history of all resources of a type in a patient's chart, newest version first.
///
/// # Errors
///
/// 400 without the parameter `patient`.
#[utoipa::path(
    get,
    path = "/fhir/{type}/_history",
    operation_id = "fhir.history_of_type",
    params(TypePath, HistoryParameters, FormatQuery, SubsetQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn of_type(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::require_json_accepted(&headers)?;
    let resource_type = request::resource_type(&resource_type)?;
    let path = format!("{resource_type}/_history");
    let parameters = Zeroizing::new(query.unwrap_or_default().into_bytes());
    let page = cursor::open(&app, &caller, &path, parameters).await?;
    let query = HistoryQuery::parse(resource_type, &page.query)?;
    let Some(patient) = query.patient else {
        let why = "the history of a type is that of one patient's chart: send the parameter patient, with the patient's id";
        let issue = Issue::new(IssueCode::Required, why);
        return Err(OperationOutcome::bad_request(issue).into());
    };
    let subject = subject(caller.organization(), resource_type).patient(patient.into());
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    let of = (resource_type, patient.into());
    let entry = entries(&app, &query.form);
    let (records, budget) = (&app.records, RequestBudget::new());
    let found = records.history_of_type(&permitted, &budget, of, range(&query, &page), entry);
    let found = found.await?;
    let bundle = bundle(&app, &caller, path, page.query, &query.form, found).await?;
    Ok(bundle_response(bundle))
}

/// The history of a resource as a Bundle, with its memory.
///
/// # Errors
///
/// The outcome of parameters that are not supported, or another error.
pub(super) async fn resource_history(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    target: Reference,
    parameters: Zeroizing<Vec<u8>>,
) -> Result<Disclosed<(Zeroizing<Vec<u8>>, Reservation)>, FhirError> {
    let Reference { resource_type, id } = target;
    let path = format!("{target}/_history");
    let page = cursor::open(app, caller, &path, parameters).await?;
    let query = HistoryQuery::parse(resource_type, &page.query)?;
    let subject = subject(caller.organization(), resource_type).id(id);
    let permitted = app.gate.permit(caller, Read, subject).await?;
    let (range, of) = (range(&query, &page), (resource_type, id));
    let entry = entries(app, &query.form);
    let records = &app.records;
    let found = records.history(&permitted, budget, of, range, entry);
    let found = found.await?;
    bundle(app, caller, path, page.query, &query.form, found).await
}

/// The requested part of a history.
fn range<'p>(query: &HistoryQuery, page: &'p Page) -> HistoryRange<'p> {
    HistoryRange {
        after: page.position.as_deref().map(Vec::as_slice),
        since: query.since,
        count: query.count,
    }
}

/// A function that makes the entries of versions.
fn entries<'f>(
    app: &'f AppState,
    form: &'f ResponseForm,
) -> impl Fn(HistoryVersion) -> (fhir::bundle::EntryJson, Option<Reservation>) + 'f {
    move |HistoryVersion { reference, version }| {
        let (meta, origin) = (version.meta(), &app.public_origin);
        match version {
            OpenVersion::Live(stored) => {
                let resource = form.subset(stored.resource);
                let entry = history_entry(origin, reference, meta, Some(resource));
                (entry, Some(stored.reserved))
            }
            OpenVersion::Deleted(_) => (history_entry(origin, reference, meta, None), None),
        }
    }
}

/// The Bundle of a page, with the cursor of the next one.
async fn bundle(
    app: &AppState,
    caller: &Caller,
    path: String,
    query: Zeroizing<Vec<u8>>,
    form: &ResponseForm,
    found: Disclosed<HistoryPage>,
) -> Result<Disclosed<(Zeroizing<Vec<u8>>, Reservation)>, FhirError> {
    let sealed = cursor::seal(app, caller, path.clone(), query, found, |found| {
        found.next.take()
    });
    let (found, next) = sealed.await?;
    Ok(found.map(|found| {
        let origin = &app.public_origin;
        let bundle = history_bundle(
            origin,
            &path,
            found.total,
            next.cursor.as_deref(),
            found.entries,
        );
        (form.render(bundle), found.reserved)
    }))
}
