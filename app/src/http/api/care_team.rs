//! `/api/v1/patients/{id}/care-team`: the clinicians that reach a patient's chart where care teams limit access.

use access::List;
use access::Write;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::administration::person_id;
use crate::http::api::disclosed;
use crate::http::api::no_content;
use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::care_team_problem;
use crate::http::chart_access::patient_id;
use crate::http::chart_access::permit_care_team;
use crate::http::chart_access::permit_colleagues;
use crate::http::openapi::Id;
use crate::http::openapi::MemberIds;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// A patient's care team.
#[derive(Serialize, ToSchema)]
pub(crate) struct CareTeam {
    members: Vec<CareTeamMember>,
}

/// A member of a care team.
#[derive(Serialize, ToSchema)]
struct CareTeamMember {
    person: Uuid,
    name: String,
    #[serde(with = "time::serde::rfc3339")]
    added_at: OffsetDateTime,
}

/// A person to add to a care team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    person: Uuid,
}

/// The members of a patient's care team, the oldest first.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/patients/{id}/care-team",
    operation_id = "workflow.care_team",
    params(Id),
    responses(
        (status = 200, description = "The members", body = inline(CareTeam)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Json<CareTeam>, Problem> {
    let patient = patient_id(&id)?;
    let permitted = permit_care_team(&app, &caller, List, patient).await?;
    let of_colleagues = permit_colleagues(&app, &caller).await?;
    let members = app.care_teams.members(&permitted, patient).await?;
    let names = app.identity.names(&of_colleagues).await?;
    Ok(disclosed(members.zip(names).map(|(members, names)| {
        let name = |person: &Uuid| names.get(person).map(|name| name.expose().clone());
        let members = members.iter().map(|member| CareTeamMember {
            person: member.person.uuid(),
            name: name(&member.person.uuid()).unwrap_or_default(),
            added_at: member.added_at,
        });
        CareTeam {
            members: members.collect(),
        }
    })))
}

/// Adds a clinician to a patient's care team.
///
/// # Errors
///
/// 400 for a person that is not an active clinician, 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/patients/{id}/care-team",
    operation_id = "workflow.add_care_team_member",
    params(Id),
    request_body = inline(NewMember),
    responses(
        (status = 204, description = "The clinician is a member"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn add(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<NewMember>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let patient = patient_id(&id)?;
    let permitted = permit_care_team(&app, &caller, Write, patient).await?;
    let Json(NewMember { person }) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"person\", the id of a clinician.")
    })?;
    let added = app.care_teams.add(&permitted, patient, person.into()).await;
    Ok(no_content(added.map_err(care_team_problem)?))
}

/// Removes a person from a patient's care team, within a second on all instances.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    delete,
    path = "/api/v1/patients/{id}/care-team/{person}",
    operation_id = "workflow.remove_care_team_member",
    params(MemberIds),
    responses(
        (status = 204, description = "The person is no member"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn remove(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((id, person)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (patient, person) = (patient_id(&id)?, person_id(&person)?);
    let permitted = permit_care_team(&app, &caller, Write, patient).await?;
    let removed = app.care_teams.remove(&permitted, patient, person).await?;
    Ok(no_content(removed))
}
