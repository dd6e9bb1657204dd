//! The organization's audit trail.

use access::{DataClass, List, Subject};
use audit::Event;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The largest number of events in a response, the latest first.
const LATEST: u32 = 200;

/// The latest events of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<Event>,
}

/// The organization's 200 latest audit events, newest first.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/audit/events",
    responses(
        (status = 200, description = "Events; that they were read is an event in its turn", body = inline(Events)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn events(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Events>, Problem> {
    let subject = Subject::of("audit", DataClass::Audit, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let events = app.trail.latest(&permitted, LATEST).await?;
    Ok(disclosed(events.map(|events| Events { events })))
}
