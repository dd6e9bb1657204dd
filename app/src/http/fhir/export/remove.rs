//! `DELETE /fhir/$export-status/{id}`: the end of an export.

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use super::accepted;
use super::exports;
use super::permit;
use crate::http::authentication::CurrentCaller;
use crate::http::fhir::FhirError;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;

/// Removes an export and deletes its files.
///
/// # Errors
///
/// 404 as for the status of the export.
#[utoipa::path(
    delete,
    path = "/fhir/$export-status/{id}",
    operation_id = "fhir.remove_export",
    params(Id),
    responses(
        (status = 202, description = "The export is removed and its files are deleted"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn remove(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Response, FhirError> {
    let exports = exports(&app)?;
    let (permitted, id) = permit(&app, &caller, &id).await?;
    Box::pin(exports.remove(&permitted, id)).await?.into_inner();
    Ok(accepted("the export is removed and its files are deleted"))
}
