//! `DELETE /api/v1/clients/{id}`: the end of a machine client.

use axum::extract::Path;
use axum::extract::State;
use http::StatusCode;

use crate::http::administration::person_id;
use crate::http::authentication::CurrentCaller;
use crate::http::machine_clients::permit;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Removes a machine client, and ends all of its tokens. It stays in the audit trail.
///
/// # Errors
///
/// 404 for a client of another organization; see [`Problem`].
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{id}",
    operation_id = "workflow.remove_client",
    params(Id),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn remove(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let removed = app.identity.remove_client(&permitted, id).await?;
    removed.map(drop).into_inner();
    Ok(StatusCode::NO_CONTENT)
}
