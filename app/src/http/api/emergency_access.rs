//! `POST /api/v1/patients/{id}/emergency-access`: the opening of a chart outside its care team.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::emergency_problem;
use crate::http::chart_access::patient_id;
use crate::http::chart_access::permit_emergency;
use crate::http::chart_access::statement;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The reason for an emergency access.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmergencyRequest {
    /// 1 to 500 characters, which the privacy officer reads.
    reason: String,
}

/// An emergency access that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmergencyAccess {
    #[serde(with = "time::serde::rfc3339")]
    ends_at: OffsetDateTime,
}

/// Opens a patient's chart to the caller for an hour. The privacy officer is alerted, and reviews it.
///
/// # Errors
///
/// 400 without a reason, or if the chart is open to the caller already; 403 unless the second factor was shown within the last
/// ten minutes; 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/patients/{id}/emergency-access",
    operation_id = "workflow.begin_emergency_access",
    params(Id),
    request_body = inline(EmergencyRequest),
    responses(
        (status = 201, description = "The chart is open", body = inline(EmergencyAccess)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn begin(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<EmergencyRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let patient = patient_id(&id)?;
    let permitted = permit_emergency(&app, &caller, patient).await?;
    let Json(EmergencyRequest { reason }) = body
        .map_err(|_rejection| Problem::BadRequest("Send a JSON object with \"reason\", a text."))?;
    let begun = app
        .emergencies
        .begin(&permitted, patient, statement(&reason)?);
    let begun = begun.await.map_err(emergency_problem)?;
    let body = begun.map(|ends_at| EmergencyAccess { ends_at });
    Ok((StatusCode::CREATED, Json(body.into_inner())).into_response())
}
