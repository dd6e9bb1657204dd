//! Who works for the organization.

use access::{DataClass, List, Subject};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::Person;

/// `GET /api/v1/people`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Value>, Problem> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let people = app.identity.people(&permitted).await?;
    let person = |person: &Person| {
        json!({
            "id": person.id,
            "name": person.name.expose(),
            "email": person.email.expose(),
            "role": person.role,
        })
    };
    Ok(disclosed(people.map(
        |people| json!({ "people": people.iter().map(person).collect::<Vec<Value>>() }),
    )))
}
