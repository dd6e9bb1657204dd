//! `/api/v1/tokens`: bearer tokens, with which a program acts for a person.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

use crate::http::authentication::CurrentCaller;
use crate::http::authentication::CurrentOrigin;
use crate::http::openapi::ProblemDetails;
use crate::http::openapi::RoleName;
use crate::http::openapi::one_of;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::sign_in::Credentials;
use crate::services::sign_in::SignInError;

/// The request for a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A new token, which is returned once only.
#[derive(Serialize, ToSchema)]
struct Issued<'a> {
    token: &'a str,
    #[schema(schema_with = bearer)]
    token_type: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[schema(value_type = RoleName)]
    role: &'static str,
    organization: Uuid,
}

fn bearer() -> Object {
    one_of(["Bearer"])
}

/// Issues a bearer token for an e-mail address and a password.
///
/// # Errors
///
/// 400 for an invalid body, 401 for a wrong password, 429 after too many attempts for the account, 503 when too many
/// clients sign in at once.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "workflow.issue_token",
    request_body = inline(Request),
    responses(
        (status = 201, description = "The token, returned once only; it is valid for an hour", body = inline(Issued)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn issue(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(Request { email, password }) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"email\" and \"password\".")
    })?;
    let issued = app
        .sign_in
        .issue_token(origin, Credentials { email, password })
        .await;
    let issued = match issued {
        Ok(issued) => issued,
        Err(SignInError::InvalidCredentials) => return Err(Problem::SignInRequired),
        Err(SignInError::Service(error)) => return Err(error.into()),
    };
    let body = Json(Issued {
        token: issued.session.token.expose(),
        token_type: "Bearer",
        expires_at: issued.session.expires_at,
        role: issued.role.name(),
        organization: issued.organization.uuid(),
    });
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, no_store, body).into_response())
}

/// Revokes the token, or ends the session, with which the request is authenticated.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/current",
    operation_id = "workflow.end_token",
    responses(
        (status = 204, description = "Revoked"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn end(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<StatusCode, Problem> {
    app.sign_in.sign_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
