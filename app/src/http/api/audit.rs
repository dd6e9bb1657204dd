//! The organization's audit trail.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::access::ViewAudit;
use crate::services::caller::Caller;

/// So many events are answered, the latest first.
const LATEST: u32 = 200;

/// `GET /api/v1/audit/events`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn events(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<Value>, Problem> {
    let permitted = app.gate.permit(&caller, ViewAudit).await?;
    let events = app
        .ledger
        .latest(&caller, &permitted, app.clock.now(), LATEST)
        .await?;
    Ok(Json(json!({ "events": events })))
}
