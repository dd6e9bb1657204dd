//! `POST /api/v1/account/password`: a new password.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::PasswordChangeError;

/// The present and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passwords {
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// Replaces the caller's password, and ends all sessions and tokens of the account, the one of the request included.
///
/// # Errors
///
/// 400 for a wrong or a weak password, 429 after too many attempts; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/account/password",
    operation_id = "workflow.change_password",
    request_body = inline(Passwords),
    responses(
        (status = 204, description = "Changed"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    body: Result<Json<Passwords>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let permitted = permit(&app, &caller).await?;
    let Json(passwords) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"password\" and \"new_password\".")
    })?;
    let changed =
        app.identity
            .change_password(&permitted, passwords.password, passwords.new_password);
    match changed.await {
        Ok(_renewal) => Ok(StatusCode::NO_CONTENT),
        Err(PasswordChangeError::WrongPassword) => {
            Err(Problem::BadRequest("The present password is wrong."))
        }
        Err(PasswordChangeError::Weak(weak)) => Err(Problem::BadRequest(weak.advice())),
        Err(PasswordChangeError::Service(error)) => Err(error.into()),
    }
}
