//! Who works for the organization.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::access::ViewPeople;
use crate::services::caller::Caller;

/// `GET /api/v1/people`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<Value>, Problem> {
    let permitted = app.gate.permit(&caller, ViewPeople).await?;
    let people = app.identity.people(&caller, &permitted).await?;
    let list: Vec<Value> = people
        .iter()
        .map(|person| {
            json!({
                "id": person.id.0,
                "name": person.name.expose(),
                "email": person.email.expose(),
                "role": person.role.name(),
            })
        })
        .collect();
    Ok(Json(json!({ "people": list })))
}
