//! `POST /fhir`: transactions and batches.

use access::Caller;
use access::Write;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::FhirError;
use super::batch::BatchExecutor;
use super::conditions;
use super::json_response;
use super::parameters::FormatQuery;
use super::preference::ReturnPreference;
use super::request;
use super::transaction::BundleResponses;
use super::transaction::transaction;
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
use crate::services::error::ServiceError;
use crate::services::records::bundle_subject;
use crate::services::records::random_id;
use crate::services::records::resource_subjects;
use fhir::ResourceType;
use fhir::ResponseForm;
use fhir::bundle::BundleRequest;
use fhir::bundle::BundleType;
use fhir::bundle::EntryJson;
use fhir::bundle::parse;
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
    params(FormatQuery),
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
    params(FormatQuery),
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
    let (memory, server) = (app.memory.clone(), format!("{}/fhir", app.public_origin));
    // Parsing a large Bundle takes a tenth of a second, so it runs on a blocking thread.
    let parsed = tokio::task::spawn_blocking(move || {
        body.parse(&memory, |bytes| {
            parse(bytes, Some(&server)).map_err(FhirError::from)
        })
    });
    let parsed = parsed.await.map_err(ServiceError::from)?;
    let (bundle, document_memory) = parsed?;
    let matches = conditions::resolve(app, caller, bundle.conditions()).await?;
    let resolved = tokio::task::spawn_blocking(move || bundle.resolve(&matches, &mut random_id));
    let (bundle_type, responses) = match resolved.await.map_err(ServiceError::from)?? {
        BundleRequest::Transaction(request) => {
            let responses = transaction(app, caller, request, preference).await?;
            (BundleType::Transaction, responses)
        }
        BundleRequest::Batch(items) => {
            let executor = BatchExecutor::new(app, caller, items.len(), preference)?;
            (BundleType::Batch, executor.execute(items).await?)
        }
    };
    // All parsed documents are dropped by now.
    drop(document_memory);
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
