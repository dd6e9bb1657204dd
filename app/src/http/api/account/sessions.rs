//! `/api/v1/account/sessions`: the caller's own sessions and tokens.

use access::Read;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::api::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::OwnSession;
use crate::services::identity::own_account;

/// The sessions and tokens of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    sessions: Vec<Session>,
}

/// A session or token.
#[derive(Serialize, ToSchema)]
struct Session {
    id: Uuid,
    /// Whether it is a token of a program, not a browser's session.
    is_token: bool,
    /// The method of authentication.
    method: String,
    #[serde(with = "time::serde::rfc3339")]
    authenticated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Whether the request was made under it.
    is_current: bool,
}

impl From<OwnSession> for Session {
    fn from(session: OwnSession) -> Self {
        Self {
            id: session.id,
            is_token: session.is_token,
            method: session.method,
            authenticated_at: session.authenticated_at,
            seen_at: session.seen_at,
            expires_at: session.expires_at,
            is_current: session.is_current,
        }
    }
}

/// The caller's sessions and tokens that are in force, the newest first.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/account/sessions",
    operation_id = "workflow.own_sessions",
    responses(
        (status = 200, description = "The sessions and tokens", body = inline(Sessions)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Sessions>, Problem> {
    let permitted = app.gate.permit(&caller, Read, own_account(&caller)).await?;
    let sessions = app.identity.own_sessions(&permitted).await?;
    Ok(disclosed(sessions.map(|sessions| Sessions {
        sessions: sessions.into_iter().map(Session::from).collect(),
    })))
}

/// Ends one of the caller's sessions or tokens.
///
/// # Errors
///
/// 404 for one that is not the caller's, or not in force; see [`Problem`].
#[utoipa::path(
    delete,
    path = "/api/v1/account/sessions/{id}",
    operation_id = "workflow.end_own_session",
    params(Id),
    responses(
        (status = 204, description = "Ended"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn end(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_malformed| Problem::NotFound)?;
    let permitted = permit(&app, &caller).await?;
    app.identity.end_own_session(&permitted, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
