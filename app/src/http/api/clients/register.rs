//! `POST /api/v1/clients`: the registration of a machine client.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use phi::PersonId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Client;
use crate::http::administration::person_name;
use crate::http::api::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::machine_clients::keys;
use crate::http::machine_clients::permit;
use crate::http::machine_clients::scopes;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::NewClient;

/// A machine client to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// A name for people.
    name: String,
    /// The scopes that it may be granted, separated by spaces.
    scopes: String,
    /// Its public keys: a JSON Web Key Set (RFC 7517), each key for ES384 or RS384.
    #[schema(value_type = Object)]
    jwks: serde_json::Value,
}

/// Registers a machine client, which then signs in at `/oauth/token`.
///
/// # Errors
///
/// 400 for an invalid body; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/clients",
    operation_id = "workflow.register_client",
    request_body = inline(Request),
    responses(
        (status = 201, description = "The client, with its client id", body = inline(Client)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn register(
    State(app): State<AppState>,
    caller: CurrentCaller,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<(StatusCode, Json<Client>), Problem> {
    let permitted = permit(&app, &caller, None).await?;
    let Json(request) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"name\", \"scopes\" and \"jwks\".")
    })?;
    let client = NewClient {
        id: PersonId::random(),
        name: person_name(&request.name)?.to_owned(),
        scopes: scopes(&request.scopes)?,
        keys: keys(&request.jwks.to_string())?,
    };
    let registered = app.identity.register_client(&permitted, client).await?;
    let client = disclosed(registered.map(|client| Client::new(&client)));
    Ok((StatusCode::CREATED, client))
}
