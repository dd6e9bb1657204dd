//! The organization's audit trail.

use access::{DataClass, List, Subject};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::disclosed;
use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The largest number of events in a response, the latest first.
const LATEST: u32 = 200;

/// `GET /api/v1/audit/events`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn events(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<Value>, Problem> {
    let subject = Subject::of("audit", DataClass::Audit, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let events = app.trail.latest(&permitted, LATEST).await?;
    Ok(disclosed(events.map(|events| json!({ "events": events }))))
}
