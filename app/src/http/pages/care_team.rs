//! The page of a patient's care team.

use std::collections::HashMap;

use access::List;
use access::Write;
use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use phi::PatientId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dates::minute;
use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use crate::http::administration::person_id;
use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::care_team_problem;
use crate::http::chart_access::patient_id;
use crate::http::chart_access::permit_care_team;
use crate::http::chart_access::permit_colleagues;
use crate::http::openapi::Id;
use crate::http::openapi::MemberIds;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::callers::is_limited_to_care_teams;
use crate::services::care_teams::Member;
use crate::services::identity::Colleague;
use crate::services::organizations::ChartPolicy;

/// The form that adds a member.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MemberForm {
    person: Uuid,
}

/// The members, and the clinicians that can be added.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    get,
    path = "/patients/{id}/care-team",
    operation_id = "pages.care_team",
    params(Id),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Html<CareTeamPage>, Problem> {
    page(&app, &caller, patient_id(&id)?, None).await
}

/// Adds a clinician.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/patients/{id}/care-team",
    operation_id = "pages.add_care_team_member",
    params(Id),
    request_body(content = inline(MemberForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Added"), (status = "default", response = Page))
)]
pub(crate) async fn add(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<MemberForm>,
) -> Result<Response, Problem> {
    let patient = patient_id(&id)?;
    let permitted = permit_care_team(&app, &caller, Write, patient).await?;
    let added = app
        .care_teams
        .add(&permitted, patient, form.person.into())
        .await;
    match added.map_err(care_team_problem) {
        Ok(added) => Ok(back(patient, added)),
        Err(Problem::BadRequest(why)) => {
            let page = page(&app, &caller, patient, Some(why)).await?;
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Removes a member.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/patients/{id}/care-team/{person}",
    operation_id = "pages.remove_care_team_member",
    params(MemberIds),
    request_body(content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Removed"), (status = "default", response = Page))
)]
pub(crate) async fn remove(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((id, person)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (patient, person) = (patient_id(&id)?, person_id(&person)?);
    let permitted = permit_care_team(&app, &caller, Write, patient).await?;
    let removed = app.care_teams.remove(&permitted, patient, person).await?;
    Ok(back(patient, removed))
}

/// A redirect to the page, after a change is recorded.
fn back(patient: PatientId, recorded: access::Disclosed<()>) -> Response {
    let page = format!("/patients/{}/care-team", patient.uuid());
    let redirect = recorded.map(|()| Redirect::to(&page));
    redirect.into_inner().into_response()
}

async fn page(
    app: &AppState,
    caller: &CurrentCaller,
    patient: PatientId,
    notice: Option<&'static str>,
) -> Result<Html<CareTeamPage>, Problem> {
    let permitted = permit_care_team(app, caller, List, patient).await?;
    let of_colleagues = permit_colleagues(app, caller).await?;
    let members = app.care_teams.members(&permitted, patient).await?;
    let colleagues = app.identity.colleagues(&of_colleagues).await?;
    let policy = app
        .organizations
        .chart_policy(caller.organization())
        .await?;
    let user = CurrentUser::of(app, caller, NavSection::Patients).await?;
    Ok(Html::disclosed(members.zip(colleagues).map(
        |(members, colleagues)| CareTeamPage {
            layout: Layout {
                title: "Care team",
                user: Some(user),
            },
            patient: patient.uuid(),
            is_limited: policy == ChartPolicy::CareTeam,
            others: others(&members, &colleagues),
            members: lines(&members, &colleagues),
            notice,
        },
    )))
}

/// The page of a care team.
#[derive(Template)]
#[template(path = "care_team.html")]
pub(crate) struct CareTeamPage {
    pub(crate) layout: Layout,
    pub(crate) patient: Uuid,
    /// Whether the organization limits charts to care teams.
    pub(crate) is_limited: bool,
    pub(crate) members: Vec<MemberLine>,
    /// The clinicians that can be added.
    pub(crate) others: Vec<MemberLine>,
    /// The reason why nothing was changed.
    pub(crate) notice: Option<&'static str>,
}

/// A member, or a clinician that can be added.
#[derive(Debug, Clone)]
pub(crate) struct MemberLine {
    pub(crate) person: Uuid,
    pub(crate) name: String,
    /// The time of the addition.
    pub(crate) since: String,
}

fn lines(members: &[Member], colleagues: &[Colleague]) -> Vec<MemberLine> {
    let names = colleagues.iter().map(|it| (it.id, it.name.expose()));
    let names: HashMap<_, _> = names.collect();
    let line = |member: &Member| MemberLine {
        person: member.person.uuid(),
        name: names
            .get(&member.person)
            .map_or_else(String::new, |name| (*name).clone()),
        since: minute(member.added_at),
    };
    members.iter().map(line).collect()
}

fn others(members: &[Member], colleagues: &[Colleague]) -> Vec<MemberLine> {
    let is_other = |it: &&Colleague| {
        it.active
            && is_limited_to_care_teams(&it.role)
            && !members.iter().any(|member| member.person == it.id)
    };
    let line = |it: &Colleague| MemberLine {
        person: it.id.uuid(),
        name: it.name.expose().clone(),
        since: String::new(),
    };
    colleagues.iter().filter(is_other).map(line).collect()
}
