//! `POST /fhir/{type}`: the create interaction.

use access::Caller;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResourceType;
use fhir::bundle::single;
use http::HeaderMap;

use super::FhirError;
use super::parameters::FormatQuery;
use super::parameters::SubsetQuery;
use super::parameters::TypePath;
use super::preference::ReturnPreference;
use super::request;
use super::single_write;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;
use crate::services::records::random_id;

/// Creates a resource, which gets a new id.
///
/// # Errors
///
/// 400 for a malformed body, 422 for an invalid resource; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    post,
    path = "/fhir/{type}",
    operation_id = "fhir.create",
    params(TypePath, FormatQuery, SubsetQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 201, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn create(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let resource_type = request::resource_type(&resource_type)?;
    create_as(
        &app,
        &caller,
        resource_type,
        query.as_deref(),
        &headers,
        body,
    )
    .await
}

async fn create_as(
    app: &AppState,
    caller: &Caller,
    resource_type: ResourceType,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let id = random_id();
    let target = Reference { resource_type, id };
    let checked = check(target, query, headers);
    let preference = ReturnPreference::of(headers).unwrap_or(ReturnPreference::Representation);
    let server = app.fhir_base();
    let parser = move |bytes: &[u8]| single::create(bytes, resource_type, id, &server);
    let read = single_write::read_body(app, caller, target, checked, body, parser);
    let (write, memory) = read.await?;
    single_write::execute(app, caller, write, memory, preference).await
}

/// The checks before the body is read.
fn check(
    target: Reference,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), OperationOutcome> {
    single_write::screen_query(target, query)?;
    request::require_json_body(headers)?;
    request::require_json_accepted(headers)?;
    if headers.contains_key("if-none-exist") {
        return Err(single_write::refuse_condition());
    }
    Ok(())
}
