//! `GET` and `POST` of `/fhir/Patient/$export`: the export of the charts of all patients.

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
use crate::http::fhir::parameters::PatientPath;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;

/// Begins an export of the charts of all patients.
///
/// # Errors
///
/// See [`begin`].
#[utoipa::path(
    get,
    path = "/fhir/{type}/$export",
    operation_id = "fhir.export_patients",
    params(PatientPath, ExportParameters),
    responses(
        (status = 202, description = "The export has begun; its status is at Content-Location"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn by_url(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let (level, query) = (level(&resource_type)?, query.unwrap_or_default());
    begin(&app, &caller, &headers, level, &query).await
}

/// Begins an export of the charts of all patients, with parameters in a body.
///
/// # Errors
///
/// See [`begin_by_body`].
#[utoipa::path(
    post,
    path = "/fhir/{type}/$export",
    operation_id = "fhir.export_patients_by_body",
    params(PatientPath),
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
    Path(resource_type): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let level = level(&resource_type)?;
    begin_by_body(&app, &caller, &headers, level, body).await
}

/// The level of a path with a type.
///
/// # Errors
///
/// 404 for another type than Patient.
fn level(name: &str) -> Result<ExportLevel, OperationOutcome> {
    if name == ResourceType::Patient.name() {
        return Ok(ExportLevel::Patients);
    }
    let why = "the operation $export is one of Patient, of a Group and of the whole server";
    let issue = Issue::new(IssueCode::NotFound, why);
    Err(OperationOutcome::new(Status::NotFound, issue))
}
