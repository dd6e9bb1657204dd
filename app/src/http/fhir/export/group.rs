//! `GET` and `POST` of `/fhir/Group/{id}/$export`: the export of the charts of a group's members.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::ResourceType;
use fhir::Status;
use fhir::bulk_export::ExportLevel;
use http::HeaderMap;

use super::begin;
use super::begin_by_body;
use crate::http::authentication::CurrentCaller;
use crate::http::fhir::FhirError;
use crate::http::fhir::parameters::ExportParameters;
use crate::http::fhir::parameters::GroupPath;
use crate::http::fhir::request;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;

/// Begins an export of the charts of a group's members.
///
/// # Errors
///
/// See [`begin`]; 404 also for a group of another organization.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}/$export",
    operation_id = "fhir.export_group",
    params(GroupPath, Id, ExportParameters),
    responses(
        (status = 202, description = "The export has begun; its status is at Content-Location"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn by_url(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let (level, query) = (level(&resource_type, &id)?, query.unwrap_or_default());
    begin(&app, &caller, &headers, level, &query).await
}

/// Begins an export of the charts of a group's members, with parameters in a body.
///
/// # Errors
///
/// See [`begin_by_body`]; 404 also for a group of another organization.
#[utoipa::path(
    post,
    path = "/fhir/{type}/{id}/$export",
    operation_id = "fhir.export_group_by_body",
    params(GroupPath, Id),
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
    Path((resource_type, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let level = level(&resource_type, &id)?;
    begin_by_body(&app, &caller, &headers, level, body).await
}

/// The level of a path with a type and an id.
///
/// # Errors
///
/// 404 for another type than Group, and for a malformed id.
fn level(name: &str, id: &str) -> Result<ExportLevel, OperationOutcome> {
    let group = request::reference(name, id)?;
    if group.resource_type == ResourceType::Group {
        return Ok(ExportLevel::Group(group.id));
    }
    let why = "the operation $export is one of Patient, of a Group and of the whole server";
    let issue = Issue::new(IssueCode::NotFound, why);
    Err(OperationOutcome::new(Status::NotFound, issue))
}
