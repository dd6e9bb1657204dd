//! `/healthz` and `/readyz`.

use axum::extract::State;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The process runs.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// The process can serve: the database answers, the system's keys are open, and the audit trail is written.
pub(crate) async fn ready(State(app): State<AppState>) -> Result<&'static str, Problem> {
    app.readiness.check().await?;
    Ok("ready\n")
}
