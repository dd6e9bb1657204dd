//! Liveness and readiness probes: `/healthz` and `/readyz`.

use axum::extract::State;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Liveness: the process handles requests.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// Readiness: the database responds, the system's keys are open, and the audit trail can be written.
pub(crate) async fn ready(State(app): State<AppState>) -> Result<&'static str, Problem> {
    app.readiness.check().await?;
    Ok("ready\n")
}
