//! `GET /fhir/$export-file/{id}/{file}`: a file of an export.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use fhir::bulk_export::FHIR_NDJSON;
use http::HeaderValue;
use http::header;

use super::exports;
use super::permit;
use crate::http::authentication::CurrentCaller;
use crate::http::body::ResponseBody;
use crate::http::fhir::FhirError;
use crate::http::fhir::parameters::FilePath;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// A file of an export: resources of one type, or outcomes, one a line.
///
/// # Errors
///
/// 404 as for the status of the export, and for a file that it does not have.
#[utoipa::path(
    get,
    path = "/fhir/$export-file/{id}/{file}",
    operation_id = "fhir.export_file",
    params(Id, FilePath),
    responses(
        (status = 200, description = "The lines", content_type = "application/fhir+ndjson"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn file(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, FhirError> {
    let exports = exports(&app)?;
    let (permitted, id) = permit(&app, &caller, &id).await?;
    let number = number.parse().map_err(|_malformed| Problem::NotFound)?;
    let file = Box::pin(exports.file(&permitted, id, number)).await?;
    let body = file.map(|file| ResponseBody::reserved(file.lines, file.reserved));
    let mut response = Body::from(body.into_inner()).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(FHIR_NDJSON);
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
