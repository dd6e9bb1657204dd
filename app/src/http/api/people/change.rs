//! `PATCH /api/v1/people/{id}`: the role and the state of a person.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Member;
use crate::http::administration::permit;
use crate::http::administration::person_id;
use crate::http::administration::problem;
use crate::http::administration::role;
use crate::http::api::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::openapi::RoleName;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::PersonChange;

/// A change of a person; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[schema(value_type = Option<RoleName>)]
    role: Option<String>,
    /// Whether the person may sign in.
    active: Option<bool>,
}

/// Changes the role of a person, or whether the person may sign in. Ends all sessions and tokens of the person.
///
/// # Errors
///
/// 400 for an invalid body and for the caller's own account, 404 for a person of another organization; see [`Problem`].
#[utoipa::path(
    patch,
    path = "/api/v1/people/{id}",
    operation_id = "workflow.change_person",
    params(Id),
    request_body = inline(Change),
    responses(
        (status = 200, description = "The person after the change", body = inline(Member)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Member>, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let Json(Change { role: name, active }) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"role\", \"active\" or both.")
    })?;
    let change = PersonChange {
        role: name.as_deref().map(role).transpose()?,
        active,
    };
    if change.role.is_none() && change.active.is_none() {
        return Err(Problem::BadRequest("Send \"role\", \"active\" or both."));
    }
    let changed = app.identity.change_person(&permitted, id, change).await;
    Ok(disclosed(
        changed.map_err(problem)?.map(|person| Member::new(&person)),
    ))
}
