//! `POST /api/v1/account/recovery-codes`: new recovery codes.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::shown;
use crate::http::api::shown_once;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// New recovery codes.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// The codes, returned once only. Each replaces a code of an authenticator app once.
    recovery_codes: Vec<String>,
}

/// Replaces the caller's recovery codes.
///
/// # Errors
///
/// 403 for a session or token of one factor; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/account/recovery-codes",
    operation_id = "workflow.new_recovery_codes",
    responses(
        (status = 201, description = "The codes, returned once only", body = inline(RecoveryCodes)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn renew(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller).await?;
    let codes = app.identity.renew_recovery_codes(&permitted).await;
    let codes = codes.map_err(problem)?.map(|codes| RecoveryCodes {
        recovery_codes: shown(&codes),
    });
    Ok(shown_once(StatusCode::CREATED, codes.into_inner()))
}
