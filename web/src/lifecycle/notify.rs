//! Notifications to the service manager (`sd_notify(3)`).

use std::sync::Arc;
use std::time::Duration;

use telemetry::service_manager;
use telemetry::service_manager::State;
use tokio::time;
use tokio::time::Instant;

use super::heartbeat::Heartbeat;

/// How often readiness is checked until the first app is ready.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long an app is waited for. Without one this tier is of little use; but the service manager
/// should go on, and the health checks report the rest.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Notifies readiness: the sockets listen, and an app is ready or was waited for long enough. Does
/// nothing without a service manager.
pub(crate) async fn notify_ready(is_app_ready: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_app_ready() {
        if Instant::now() >= deadline {
            tracing::warn!("no app is ready yet");
            break;
        }
        time::sleep(INTERVAL).await;
    }
    service_manager::tell(State::Ready).await;
}

/// Notifies that the process is about to end.
pub(super) async fn notify_stopping() {
    service_manager::tell(State::Stopping).await;
}

/// Notifies that every worker makes progress, twice as often as the watchdog demands. Ends at once
/// without a watchdog.
pub(crate) async fn watchdog(heartbeat: Arc<Heartbeat>) {
    let Some(limit) = service_manager::patience() else {
        return;
    };
    let mut ticks = time::interval(limit / 2);
    loop {
        ticks.tick().await;
        if heartbeat.is_regular() {
            service_manager::mention(State::Alive);
        } else {
            tracing::error!("a worker is blocked");
        }
    }
}
