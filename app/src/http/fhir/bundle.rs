//! `POST /fhir`: transactions and batches.

use access::Caller;
use access::Write;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::FhirError;
use super::bundle_execution::BundleExecution;
use super::json_response;
use super::parameters::FormatQuery;
use super::parameters::SubsetQuery;
use super::preference::ReturnPreference;
use super::request;
use super::transaction::BundleResponses;
use crate::http::authentication::CurrentCaller;
use crate::http::body::RequestBody;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_BUNDLE_BYTES;
use crate::services::budget::CallerId;
use crate::services::document;
use crate::services::records::bundle_subject;
use crate::services::records::resource_subjects;
use fhir::ResourceType;
use fhir::ResponseForm;
use fhir::bundle::EntryJson;
use fhir::bundle::response;

/// Executes a transaction or a batch.
///
/// # Errors
///
/// A malformed Bundle, a transaction with an entry that is refused, or see
/// [`Problem`](crate::http::problem::Problem).
#[utoipa::path(
    post,
    path = "/fhir",
    operation_id = "fhir.bundle",
    params(FormatQuery, SubsetQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn bundle(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    execute(&app, &caller, query.as_deref(), &headers, body).await
}

/// The same at the address with a slash, to which many clients send Bundles.
///
/// # Errors
///
/// See [`bundle`].
#[utoipa::path(
    post,
    path = "/fhir/",
    operation_id = "fhir.bundle_with_slash",
    params(FormatQuery, SubsetQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn bundle_with_slash(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    execute(&app, &caller, query.as_deref(), &headers, body).await
}

async fn execute(
    app: &AppState,
    caller: &Caller,
    query: Option<&str>,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<Response, FhirError> {
    if let Err(error) = screen(app, caller, query, headers).await {
        // The web tier must be able to send the whole body before it reads the response.
        discard(&mut body, MAX_BUNDLE_BYTES).await;
        return Err(error);
    }
    let share = CallerId::of(caller);
    let body = RequestBody::read(&app.memory, share, body, MAX_BUNDLE_BYTES).await?;
    let preference = ReturnPreference::of(headers).unwrap_or(ReturnPreference::Minimal);
    // With the resources that were sent, each entry of the response and its copy in the Bundle are as long as the request.
    let returned = match preference {
        ReturnPreference::Representation => 2 * body.bytes().len(),
        ReturnPreference::Minimal | ReturnPreference::OperationOutcome => 0,
    };
    let returned = app.memory.reserve(share, returned)?;
    let execution = BundleExecution::new(app, caller, body, preference);
    let (bundle_type, responses) = execution.execute().await?;
    let BundleResponses {
        entries,
        mut reserved,
    } = responses;
    reserved.absorb(returned);
    Ok(json_response(entries.map(|entries| {
        let bytes = entries.iter().map(EntryJson::len).sum();
        let body = document::process(bytes, || response(bundle_type, entries));
        ResponseBody::reserved(body, reserved)
    })))
}

/// Checks a request before its body is read, so that a request that is refused anyway, for example because of the
/// caller's role, uses no memory.
async fn screen(
    app: &AppState,
    caller: &Caller,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), FhirError> {
    ResponseForm::parse(ResourceType::Patient, query.unwrap_or_default())?;
    request::require_json_body(headers)?;
    request::require_json_accepted(headers)?;
    let organization = caller.organization();
    let (bundle, contents) = (
        bundle_subject(organization),
        resource_subjects(organization),
    );
    Ok(app.gate.admit(caller, Write, bundle, contents).await?)
}
