//! `/api/v1/clients`: the machine clients of an organization, and their administration.

pub(crate) mod change;
pub(crate) mod register;
pub(crate) mod remove;

use access::List;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::machine_clients::subject;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::MachineClient;

/// The machine clients of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct Clients {
    clients: Vec<Client>,
}

/// A machine client.
#[derive(Serialize, ToSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "`client_id` is the name of RFC 6749"
)]
pub(crate) struct Client {
    /// The client id, which is also `iss` and `sub` of its assertions.
    client_id: Uuid,
    name: String,
    /// Whether it may sign in.
    active: bool,
    /// The scopes that it may be granted, separated by spaces.
    scopes: String,
    keys: Vec<Key>,
    /// The time at which the keys were registered.
    #[serde(with = "time::serde::rfc3339")]
    keys_at: OffsetDateTime,
}

/// A public key of a client.
#[derive(Serialize, ToSchema)]
struct Key {
    kid: String,
    alg: &'static str,
}

impl Client {
    fn new(client: &MachineClient) -> Self {
        let key = |(kid, alg): (&str, phi::SignatureAlgorithm)| Key {
            kid: kid.to_owned(),
            alg: alg.name(),
        };
        Self {
            client_id: client.id.uuid(),
            name: client.name.expose().clone(),
            active: client.active,
            scopes: client.scopes.clone(),
            keys: client.keys.keys().map(key).collect(),
            keys_at: client.keys_at,
        }
    }
}

/// The machine clients of the organization, suspended ones included.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    operation_id = "workflow.clients",
    responses(
        (status = 200, description = "The clients", body = inline(Clients)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Clients>, Problem> {
    let permitted = app.gate.permit(&caller, List, subject(&caller)).await?;
    let clients = app.identity.clients(&permitted).await?;
    Ok(disclosed(clients.map(|clients| Clients {
        clients: clients.iter().map(Client::new).collect(),
    })))
}
