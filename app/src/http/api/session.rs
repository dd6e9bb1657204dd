//! Who am I.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::caller::Caller;

/// `GET /api/v1/session`: the caller's own name, role and organization.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<Value>, Problem> {
    let person = app
        .identity
        .person(&caller)
        .await?
        .ok_or(Problem::SignInRequired)?;
    let organization = app.database.organization_name(caller.organization).await?;
    Ok(Json(json!({
        "person": { "id": person.id.0, "name": person.name.expose(), "email": person.email.expose() },
        "role": caller.role.name(),
        "organization": { "id": caller.organization, "name": organization },
    })))
}
