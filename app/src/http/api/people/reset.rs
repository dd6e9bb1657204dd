//! `POST /api/v1/people/{id}/reset`: the reset of an account.

use access::Disclosed;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::administration::permit;
use crate::http::administration::person_id;
use crate::http::administration::problem;
use crate::http::api::shown_once;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::PersonSetUp;

/// A set-up code for a person.
#[derive(Serialize, ToSchema)]
pub(super) struct SetUpCode {
    person: Uuid,
    /// The code, which is accepted once, for three days.
    set_up_code: String,
}

/// Removes a person's password and second factor, ends all sessions, and makes a set-up code.
///
/// # Errors
///
/// 400 for the caller's own account, 404 for a person of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/reset",
    operation_id = "workflow.reset_person",
    params(Id),
    responses(
        (status = 201, description = "The set-up code, returned once only", body = inline(SetUpCode)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn reset(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let reset = app.identity.reset(&permitted, id).await;
    Ok(created(reset.map_err(problem)?))
}

/// 201 with a set-up code.
pub(super) fn created(set_up: Disclosed<PersonSetUp>) -> Response {
    let body = set_up.map(|set_up| SetUpCode {
        person: set_up.person,
        set_up_code: set_up.code.to_groups().to_string(),
    });
    shown_once(StatusCode::CREATED, body.into_inner())
}
