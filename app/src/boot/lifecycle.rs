//! Notifications to the service manager: readiness and the watchdog.

use std::time::Duration;

use telemetry::service_manager;
use telemetry::service_manager::State;
use tokio::time;
use tokio::time::Instant;

use crate::http::state::AppState;

/// Interval at which readiness is polled at the start.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Time after which a process that is not ready is reported as started. Health checks still report
/// that it is not ready, and a service manager that waits for dependencies would delay everything
/// else.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Notifies the service manager of readiness: once the database and the system's keys are
/// available, or after [`READY_TIMEOUT`].
pub(crate) async fn notify_ready(app: AppState) {
    let deadline = Instant::now() + READY_TIMEOUT;
    while !is_ready(&app).await {
        if Instant::now() >= deadline {
            tracing::warn!("the database or the key service is not available yet");
            break;
        }
        time::sleep(POLL_INTERVAL).await;
    }
    service_manager::notify_reliably(State::Ready).await;
}

/// Whether requests can be served.
async fn is_ready(app: &AppState) -> bool {
    app.readiness.check().await.is_ok()
}

/// Notifies the service manager's watchdog twice in each of its intervals, which proves that the
/// async runtime makes progress. Returns at once if no watchdog is configured.
pub(crate) async fn watchdog() {
    let Some(limit) = service_manager::watchdog_interval() else {
        return;
    };
    let mut interval = time::interval(limit / 2);
    loop {
        interval.tick().await;
        service_manager::notify(State::Watchdog);
    }
}
