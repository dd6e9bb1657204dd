//! `POST /api/v1/account/authenticators`: a new authenticator app.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::api::shown_once;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// A new authenticator app, whose key is returned once only.
#[derive(Serialize, ToSchema)]
struct New {
    id: Uuid,
    /// The key in base32, for people that type it into an app.
    key: String,
    /// The `otpauth://` URI, for a QR code.
    uri: String,
}

/// Makes a key for an authenticator app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds). It is not in use before it is
/// confirmed by a code.
///
/// # Errors
///
/// 400 if the person has as many apps as are allowed, 403 for a session or token of one factor where there is a second
/// one; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/account/authenticators",
    operation_id = "workflow.new_authenticator",
    responses(
        (status = 201, description = "The key, returned once only", body = inline(New)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn begin(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller).await?;
    let begun = app.identity.begin_app(&permitted).await;
    let new = begun.map_err(problem)?.map(|new| New {
        id: new.id,
        key: new.key.to_base32().to_string(),
        uri: new
            .key
            .uri(product::TITLE, new.email.expose())
            .map(|uri| uri.to_string())
            .unwrap_or_default(),
    });
    Ok(shown_once(StatusCode::CREATED, new.into_inner()))
}
