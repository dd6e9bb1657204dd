//! What a service manager hears of this process.

use std::time::Duration;

use telemetry::service_manager;
use telemetry::service_manager::State;
use tokio::time;
use tokio::time::Instant;

use crate::http::state::AppState;

/// How often the database and the keys are asked until they answer.
const LOOK: Duration = Duration::from_millis(200);
/// Without them we are of little use, but the health checks say so: after so long, whoever started us
/// should go on.
const GRACE: Duration = Duration::from_secs(10);

/// Says that we serve: we listen, and what we lean on answers or has been waited for long enough.
pub(crate) async fn announce(app: AppState) {
    let deadline = Instant::now() + GRACE;
    while !is_ready(&app).await {
        if Instant::now() >= deadline {
            tracing::warn!("the database or the key service does not answer yet");
            break;
        }
        time::sleep(LOOK).await;
    }
    service_manager::notify_reliably(State::Ready).await;
}

/// Whether requests can be served: the database answers and the system's keys are open.
async fn is_ready(app: &AppState) -> bool {
    app.readiness.check().await.is_ok()
}

/// Says that the runtime turns, twice as often as the service manager wants to hear it; ends at once
/// if it does not.
pub(crate) async fn watchdog() {
    let Some(limit) = service_manager::watchdog_interval() else {
        return;
    };
    let mut beat = time::interval(limit / 2);
    loop {
        beat.tick().await;
        service_manager::notify(State::Watchdog);
    }
}
