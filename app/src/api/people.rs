//! Who works for the organization.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::access::ViewPeople;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::App;

/// `GET /api/v1/people`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let permitted = caller.permit(&app, ViewPeople).await?;
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
