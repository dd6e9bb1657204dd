//! `GET` and `POST` of `/fhir/$export`: the export of all resources of an organization.

use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::bulk_export::ExportLevel;
use http::HeaderMap;

use super::begin;
use super::begin_by_body;
use crate::http::authentication::CurrentCaller;
use crate::http::fhir::FhirError;
use crate::http::fhir::parameters::ExportParameters;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;

/// Begins an export of all resources of the organization.
///
/// # Errors
///
/// See [`begin`].
#[utoipa::path(
    get,
    path = "/fhir/$export",
    operation_id = "fhir.export",
    params(ExportParameters),
    responses(
        (status = 202, description = "The export has begun; its status is at Content-Location"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn by_url(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let query = query.unwrap_or_default();
    begin(&app, &caller, &headers, ExportLevel::Organization, &query).await
}

/// Begins an export of all resources of the organization, with parameters in a body.
///
/// # Errors
///
/// See [`begin_by_body`].
#[utoipa::path(
    post,
    path = "/fhir/$export",
    operation_id = "fhir.export_by_body",
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses(
        (status = 202, description = "The export has begun; its status is at Content-Location"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn by_body(
    State(app): State<AppState>,
    caller: CurrentCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    begin_by_body(&app, &caller, &headers, ExportLevel::Organization, body).await
}
