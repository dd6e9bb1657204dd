//! `POST /api/v1/account/authenticators/{id}/confirmation`: the confirmation of an authenticator app by a code.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::shown;
use crate::http::api::shown_once;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The code of an authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    #[schema(value_type = String)]
    code: SecretString,
}

/// The result of a confirmation.
#[derive(Serialize, ToSchema)]
struct Confirmed {
    /// The recovery codes that were made with the account's first app or passkey, returned once only; none otherwise.
    recovery_codes: Vec<String>,
}

/// Confirms an authenticator app by a code. If it is the account's first app or passkey, the password alone is refused from
/// now on.
///
/// # Errors
///
/// 400 for a wrong code, 404 for an authenticator that is not the caller's or not unconfirmed; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/account/authenticators/{id}/confirmation",
    operation_id = "workflow.confirm_authenticator",
    params(Id),
    request_body = inline(Code),
    responses(
        (status = 200, description = "Confirmed", body = inline(Confirmed)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn confirm(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<Code>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(Code { code }) =
        body.map_err(|_rejection| Problem::BadRequest("Send a JSON object with \"code\"."))?;
    let id = id.parse().map_err(|_malformed| Problem::NotFound)?;
    let permitted = permit(&app, &caller).await?;
    let confirmed = app.identity.confirm(&permitted, id, &code).await;
    let (_, codes) = confirmed.map_err(problem)?;
    let confirmed = codes.map(|codes| Confirmed {
        recovery_codes: shown(&codes),
    });
    Ok(shown_once(StatusCode::OK, confirmed.into_inner()))
}
