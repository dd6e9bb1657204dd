//! `GET /api/v1/session`.

use access::Read;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::ProblemDetails;
use crate::http::openapi::RoleName;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::own_account;

/// The caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    person: Account,
    #[schema(value_type = RoleName)]
    role: &'static str,
    organization: Organization,
}

/// The caller's person.
#[derive(Serialize, ToSchema)]
struct Account {
    id: Uuid,
    name: String,
    email: String,
}

/// The caller's organization.
#[derive(Serialize, ToSchema)]
struct Organization {
    id: Uuid,
    name: String,
}

/// The caller's own name, role and organization.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "workflow.session",
    responses(
        (status = 200, description = "The caller", body = inline(Session)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Session>, Problem> {
    let id = caller.organization();
    let permitted = app.gate.permit(&caller, Read, own_account(&caller)).await?;
    let person = app.identity.account(&permitted).await?;
    let name = app.organizations.name(id).await?;
    Ok(disclosed(person.map(|person| Session {
        person: Account {
            id: person.id.uuid(),
            name: person.name.expose().clone(),
            email: person.email.expose().clone(),
        },
        role: caller.role().name(),
        organization: Organization {
            id: id.uuid(),
            name,
        },
    })))
}
