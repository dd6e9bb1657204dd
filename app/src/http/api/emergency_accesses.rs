//! `/api/v1/emergency-accesses`: emergency accesses of the organization, and their reviews.

use access::Disclosed;
use access::List;
use access::Write;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use phi::PersonId;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::api::disclosed;
use crate::http::api::no_content;
use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::emergency_problem;
use crate::http::chart_access::permit_reviews;
use crate::http::chart_access::statement;
use crate::http::openapi::Id;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::emergencies::Emergency;
use crate::services::emergencies::Review;

/// Emergency accesses.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmergencyAccesses {
    emergency_accesses: Vec<ReviewedAccess>,
}

/// An emergency access.
#[derive(Serialize, ToSchema)]
struct ReviewedAccess {
    id: Uuid,
    patient: Uuid,
    person: Uuid,
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    ends_at: OffsetDateTime,
    /// Absent while the review is open.
    review: Option<StoredReview>,
}

/// A review.
#[derive(Serialize, ToSchema)]
struct StoredReview {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    by: Option<Uuid>,
    appropriate: bool,
    finding: String,
}

/// The result of a review.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    /// Whether the access was appropriate.
    appropriate: bool,
    /// 1 to 500 characters.
    finding: String,
}

impl From<Emergency> for ReviewedAccess {
    fn from(emergency: Emergency) -> Self {
        Self {
            id: emergency.id,
            patient: emergency.patient.uuid(),
            person: emergency.person.uuid(),
            reason: emergency.reason.expose().clone(),
            began_at: emergency.began_at,
            ends_at: emergency.ends_at,
            review: emergency.review.map(|review| StoredReview {
                at: review.at,
                by: review.by.map(PersonId::uuid),
                appropriate: review.appropriate,
                finding: review.finding.expose().clone(),
            }),
        }
    }
}

/// At most 200 emergency accesses: those whose review is open, the oldest first, then those reviewed last.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/emergency-accesses",
    operation_id = "workflow.emergency_accesses",
    responses(
        (status = 200, description = "The emergency accesses", body = inline(EmergencyAccesses)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<EmergencyAccesses>, Problem> {
    let permitted = permit_reviews(&app, &caller, List).await?;
    let emergencies = app.emergencies.list(&permitted).await?;
    Ok(disclosed(emergencies.map(|emergencies| {
        EmergencyAccesses {
            emergency_accesses: emergencies.into_iter().map(Into::into).collect(),
        }
    })))
}

/// Signs off the review of an emergency access.
///
/// # Errors
///
/// 400 for an invalid body, for one that was reviewed, and for the caller's own; 404 for one of another organization; see
/// [`Problem`].
#[utoipa::path(
    post,
    path = "/api/v1/emergency-accesses/{id}/review",
    operation_id = "workflow.review_emergency_access",
    params(Id),
    request_body = inline(ReviewRequest),
    responses(
        (status = 204, description = "Reviewed"),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn review(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    body: Result<Json<ReviewRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let id: Uuid = id.parse().map_err(|_malformed| Problem::NotFound)?;
    let permitted = permit_reviews(&app, &caller, Write).await?;
    let Json(ReviewRequest {
        appropriate,
        finding,
    }) = body.map_err(|_rejection| {
        Problem::BadRequest("Send a JSON object with \"appropriate\" and \"finding\", a text.")
    })?;
    let review = Review {
        appropriate,
        finding: statement(&finding)?.to_owned(),
    };
    let reviewed = app.emergencies.review(&permitted, id, &review).await;
    let reviewed: Disclosed<()> = reviewed.map_err(emergency_problem)?;
    Ok(no_content(reviewed))
}
