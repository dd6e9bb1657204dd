//! `/api/v1/organization`: the settings of the caller's organization.

use access::DataClass;
use access::NotPhi;
use access::Read;
use access::Subject;
use access::Write;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::api::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::organizations::ChartPolicy;

/// The settings of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct Settings {
    chart_access: ChartAccess,
}

/// The charts that clinicians reach.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChartAccess {
    /// All charts of the organization, on record.
    Organization,
    /// Those of patients whose care team includes them; others by emergency access.
    CareTeam,
}

impl From<ChartPolicy> for ChartAccess {
    fn from(policy: ChartPolicy) -> Self {
        match policy {
            ChartPolicy::Organization => Self::Organization,
            ChartPolicy::CareTeam => Self::CareTeam,
        }
    }
}

impl From<ChartAccess> for ChartPolicy {
    fn from(access: ChartAccess) -> Self {
        match access {
            ChartAccess::Organization => Self::Organization,
            ChartAccess::CareTeam => Self::CareTeam,
        }
    }
}

/// A change of the settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    chart_access: ChartAccess,
}

/// The settings of the caller's organization.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/organization",
    operation_id = "workflow.organization",
    responses(
        (status = 200, description = "The settings", body = inline(Settings)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Settings>, Problem> {
    let subject = Subject::of("organization", DataClass::People, caller.organization());
    let _permitted = app.gate.permit(&caller, Read, subject).await?;
    let policy = app
        .organizations
        .chart_policy(caller.organization())
        .await?;
    let settings = Settings {
        chart_access: policy.into(),
    };
    Ok(disclosed(NotPhi::assert(settings, "a setting").into()))
}

/// Changes the settings of the caller's organization. Takes effect on all instances within a second.
///
/// # Errors
///
/// 400 for an invalid body; see [`Problem`].
#[utoipa::path(
    patch,
    path = "/api/v1/organization",
    operation_id = "workflow.change_organization",
    request_body = inline(SettingsChange),
    responses(
        (status = 200, description = "The settings after the change", body = inline(Settings)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    body: Result<Json<SettingsChange>, JsonRejection>,
) -> Result<Json<Settings>, Problem> {
    let subject = Subject::of("organization", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, Write, subject).await?;
    let Json(SettingsChange { chart_access }) = body.map_err(|_rejection| {
        Problem::BadRequest("Send {\"chart_access\": \"organization\"} or \"care-team\".")
    })?;
    let policy = app
        .organizations
        .set_chart_policy(&permitted, chart_access.into());
    Ok(disclosed(policy.await?.map(|policy| Settings {
        chart_access: policy.into(),
    })))
}
