//! `/api/v1/people`: the people of an organization, and their administration.

pub(crate) mod change;
pub(crate) mod invite;
pub(crate) mod reset;

use access::DataClass;
use access::List;
use access::Subject;
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
use crate::services::identity::Person;

/// The people of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct People {
    people: Vec<Member>,
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    id: Uuid,
    name: String,
    email: String,
    #[schema(value_type = RoleName)]
    role: String,
    /// Whether the person may sign in.
    active: bool,
}

impl Member {
    fn new(person: &Person) -> Self {
        Self {
            id: person.id.uuid(),
            name: person.name.expose().clone(),
            email: person.email.expose().clone(),
            role: person.role.clone(),
            active: person.active,
        }
    }
}

/// The people of the organization, those who may not sign in included.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/people",
    operation_id = "workflow.people",
    responses(
        (status = 200, description = "The people", body = inline(People)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<People>, Problem> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let people = app.identity.people(&permitted).await?;
    Ok(disclosed(people.map(|people| People {
        people: people.iter().map(Member::new).collect(),
    })))
}
