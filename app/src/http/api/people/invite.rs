//! `POST /api/v1/people`: the invitation of a person.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::reset::SetUpCode;
use super::reset::created;
use crate::http::administration::invitation;
use crate::http::administration::permit;
use crate::http::administration::problem;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::ProblemDetails;
use crate::http::openapi::RoleName;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// A person to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    name: String,
    email: String,
    #[schema(value_type = RoleName)]
    role: String,
}

/// Adds a person, and makes a set-up code, with which the person sets a password at `/set-up`.
///
/// # Errors
///
/// 400 for an invalid body and for an e-mail address in use; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/people",
    operation_id = "workflow.invite_person",
    request_body = inline(Request),
    responses(
        (status = 201, description = "The set-up code, returned once only", body = inline(SetUpCode)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn invite(
    State(app): State<AppState>,
    caller: CurrentCaller,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller, None).await?;
    let Json(request) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"name\", \"email\" and \"role\".")
    })?;
    let invitation = invitation(&request.name, &request.email, &request.role)?;
    let invited = app.identity.invite(&permitted, invitation).await;
    Ok(created(invited.map_err(problem)?))
}
