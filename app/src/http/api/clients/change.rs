//! `PATCH /api/v1/clients/{id}`: the state, the scopes and the keys of a machine client.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Client;
use crate::http::administration::person_id;
use crate::http::api::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::machine_clients::keys;
use crate::http::machine_clients::permit;
use crate::http::machine_clients::scopes;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::ClientChange;

/// A change of a client; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// Whether it may sign in.
    active: Option<bool>,
    /// The scopes that it may be granted, separated by spaces.
    scopes: Option<String>,
    /// Public keys in place of all others: a JSON Web Key Set (RFC 7517).
    #[schema(value_type = Option<Object>)]
    jwks: Option<serde_json::Value>,
}

/// Suspends or restores a machine client, or replaces its scopes or keys. Ends all of its tokens.
///
/// # Errors
///
/// 400 for an invalid body, 404 for a client of another organization; see [`Problem`].
#[utoipa::path(
    patch,
    path = "/api/v1/clients/{id}",
    operation_id = "workflow.change_client",
    params(Id),
    request_body = inline(Change),
    responses(
        (status = 200, description = "The client after the change", body = inline(Client)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Client>, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let advice = Problem::BadRequest("Send a JSON object with \"active\", \"scopes\" or \"jwks\".");
    let Json(Change {
        active,
        scopes: granted,
        jwks,
    }) = body.map_err(|_rejection| advice)?;
    if active.is_none() && granted.is_none() && jwks.is_none() {
        return Err(advice);
    }
    let change = ClientChange {
        active,
        scopes: granted.as_deref().map(scopes).transpose()?,
        keys: jwks.map(|jwks| keys(&jwks.to_string())).transpose()?,
    };
    let changed = app.identity.change_client(&permitted, id, change).await?;
    Ok(disclosed(changed.map(|client| Client::new(&client))))
}
