//! `GET /fhir/$export-status/{id}`: the progress of an export, which goes on with each request, and then its manifest.

use access::Disclosed;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use fhir::bulk_export::manifest;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use uuid::Uuid;

use super::exports;
use super::permit;
use crate::http::authentication::CurrentCaller;
use crate::http::conditional::http_date;
use crate::http::fhir::FhirError;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::EXPORT_RETRY_AFTER_SECONDS;
use crate::services::exports::CompleteExport;
use crate::services::exports::ExportStatus;

/// Continues an export, and shows its progress or its manifest.
///
/// # Errors
///
/// 404 for an unknown export, which is also one of another person, and one that was removed or has expired.
#[utoipa::path(
    get,
    path = "/fhir/$export-status/{id}",
    operation_id = "fhir.export_status",
    params(Id),
    responses(
        (status = 200, description = "The manifest", content_type = "application/json"),
        (status = 202, description = "The export is not complete; X-Progress has its progress"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn status(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Response, FhirError> {
    let exports = exports(&app)?;
    let (permitted, id) = permit(&app, &caller, &id).await?;
    let status = Box::pin(exports.status(&permitted, id)).await?;
    Ok(response(&app, id, status)?)
}

fn response(
    app: &AppState,
    id: Uuid,
    status: Disclosed<ExportStatus>,
) -> Result<Response, Problem> {
    match status.into_inner() {
        ExportStatus::Running { percent } => {
            let mut response = StatusCode::ACCEPTED.into_response();
            let progress = format!("{percent} % of the types are exported");
            let progress = HeaderValue::try_from(progress).map_err(Problem::internal)?;
            let headers = response.headers_mut();
            headers.insert("x-progress", progress);
            let seconds = HeaderValue::from(EXPORT_RETRY_AFTER_SECONDS);
            headers.insert(header::RETRY_AFTER, seconds);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        ExportStatus::Complete(export) => complete(app, id, &export),
    }
}

/// 200 with the manifest.
fn complete(app: &AppState, id: Uuid, export: &CompleteExport) -> Result<Response, Problem> {
    let (request, at) = (&export.request, export.transaction_time);
    let manifest = manifest(&app.public_origin, id, request, at, &export.files);
    let mut response = manifest.value().to_string().into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(expires) = http_date(export.expires_at) {
        let expires = HeaderValue::try_from(expires).map_err(Problem::internal)?;
        headers.insert(header::EXPIRES, expires);
    }
    Ok(response)
}
