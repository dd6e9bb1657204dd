//! The organization's audit trail.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::access::ViewAudit;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::App;

/// So many events are answered, the latest first.
const LATEST: u32 = 200;

/// `GET /api/v1/audit/events`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn events(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let permitted = caller.permit(&app, ViewAudit).await?;
    let events = app
        .ledger
        .latest(&caller, &permitted, app.clock.now(), LATEST)
        .await?;
    Ok(Json(json!({ "events": events })))
}
