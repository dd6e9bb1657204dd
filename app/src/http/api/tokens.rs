//! `/api/v1/tokens`: bearer tokens, with which a program acts for a person.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

use crate::http::api::shown_once;
use crate::http::authentication::CurrentCaller;
use crate::http::authentication::CurrentOrigin;
use crate::http::openapi::ProblemDetails;
use crate::http::openapi::RoleName;
use crate::http::openapi::one_of;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::Credentials;
use crate::services::sign_in::SignInError;

/// The request for a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// A code of an authenticator app, or a recovery code. Required once the person has set up a second factor.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
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

/// Issues a bearer token for an e-mail address, a password and a code of a second factor.
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
    let Json(request) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"email\", \"password\" and, if the account has a second factor, \"code\".")
    })?;
    let credentials = Credentials {
        email: request.email,
        password: request.password,
        code: request.code,
    };
    let issued = app.sign_in.issue_token(origin, credentials).await;
    let issued = match issued {
        Ok(issued) => issued,
        Err(SignInError::InvalidCredentials) => return Err(Problem::SignInRequired),
        Err(SignInError::Service(error)) => return Err(error.into()),
    };
    let body = Issued {
        token: issued.session.token.expose(),
        token_type: "Bearer",
        expires_at: issued.session.expires_at,
        role: issued.role.name(),
        organization: issued.organization.uuid(),
    };
    Ok(shown_once(StatusCode::CREATED, body))
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
