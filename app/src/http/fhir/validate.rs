//! The operation `$validate`: the checks of a write, without the write.

use access::Caller;
use access::NotPhi;
use access::Write;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::SensitiveJson;
use fhir::validation;
use fhir::validation::ValidationTarget;
use http::HeaderMap;

use super::FhirError;
use super::json_response;
use super::parameters::FormatQuery;
use super::parameters::TypePath;
use super::parameters::ValidateParameters;
use super::request;
use crate::http::authentication::CurrentCaller;
use crate::http::body::RequestBody;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_BUNDLE_BYTES;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::records::bundle_subject;
use crate::services::records::contained_issue;
use crate::services::records::refused_contained;
use crate::services::records::resource_subjects;

/// Validates a resource of any type.
///
/// # Errors
///
/// 400 for a request without a resource, or with a profile; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    post,
    path = "/fhir/$validate",
    operation_id = "fhir.validate",
    params(ValidateParameters, FormatQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn any_type(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let target = ValidationTarget::default();
    respond(&app, &caller, target, query, &headers, body).await
}

/// Validates a resource of one type.
///
/// # Errors
///
/// See [`any_type`].
#[utoipa::path(
    post,
    path = "/fhir/{type}/$validate",
    operation_id = "fhir.validate_type",
    params(TypePath, ValidateParameters, FormatQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn of_type(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let target = ValidationTarget {
        resource_type: Some(request::resource_type(&resource_type)?),
        id: None,
    };
    respond(&app, &caller, target, query, &headers, body).await
}

/// Validates the next version of a resource, which need not exist.
///
/// # Errors
///
/// See [`any_type`].
#[utoipa::path(
    post,
    path = "/fhir/{type}/{id}/$validate",
    operation_id = "fhir.validate_resource",
    params(TypePath, Id, ValidateParameters, FormatQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn of_resource(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let reference = request::reference(&resource_type, &id)?;
    let target = ValidationTarget {
        resource_type: Some(reference.resource_type),
        id: Some(reference.id),
    };
    respond(&app, &caller, target, query, &headers, body).await
}

async fn respond(
    app: &AppState,
    caller: &Caller,
    target: ValidationTarget,
    query: Option<String>,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<Response, FhirError> {
    if let Err(error) = screen(app, caller, headers).await {
        // The web tier must be able to send the whole body before it reads the response.
        discard(&mut body, MAX_BUNDLE_BYTES).await;
        return Err(error);
    }
    let share = CallerId::of(caller);
    let body = RequestBody::read(&app.memory, share, body, MAX_BUNDLE_BYTES).await?;
    let (memory, server) = (app.memory.clone(), app.fhir_base());
    // A long body takes a tenth of a second, so it is validated on a blocking thread.
    let outcome = tokio::task::spawn_blocking(move || {
        let query = query.unwrap_or_default();
        body.parse(&memory, |bytes| {
            let policy = |resource: &fhir::Resource, path: &str| {
                refused_contained(resource).map(|index| contained_issue(path, index))
            };
            validation::validate(bytes, target, &query, &server, &policy).map_err(FhirError::from)
        })
    });
    let (outcome, _memory) = outcome.await.map_err(ServiceError::from)??;
    let body = ResponseBody::small(SensitiveJson::new(outcome).to_bytes());
    Ok(json_response(
        NotPhi::assert(body, "an outcome has no values of records").into(),
    ))
}

/// Checks a request before its body is read, so that a request that is refused anyway uses no memory.
async fn screen(app: &AppState, caller: &Caller, headers: &HeaderMap) -> Result<(), FhirError> {
    request::require_json_body(headers)?;
    request::require_json_accepted(headers)?;
    let organization = caller.organization();
    let (bundle, contents) = (
        bundle_subject(organization),
        resource_subjects(organization),
    );
    Ok(app.gate.admit(caller, Write, bundle, contents).await?)
}
