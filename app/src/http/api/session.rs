//! Who am I.

use access::{DataClass, Read, Subject};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// `GET /api/v1/session`: the caller's own name, role and organization.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Value>, Problem> {
    let id = caller.organization();
    let subject = Subject::of("person", DataClass::Account, id).id(caller.person());
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    let person = app.identity.account(&permitted).await?;
    let name = app.organizations.name(id).await?;
    Ok(disclosed(person.map(|person| {
        json!({
            "person": {
                "id": person.id, "name": person.name.expose(), "email": person.email.expose(),
            },
            "role": caller.role().name(),
            "organization": { "id": id, "name": name },
        })
    })))
}
