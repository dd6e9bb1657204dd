//! Notifications to the service manager (`sd_notify(3)`).

use std::sync::Arc;
use std::time::Duration;

use telemetry::service_manager;
use telemetry::service_manager::State;
use tokio::time;
use tokio::time::Instant;

use super::heartbeat::Heartbeat;

/// Interval of readiness checks until the first endpoint is ready.
const INTERVAL: Duration = Duration::from_millis(50);
/// Maximum wait for an endpoint. Readiness is notified after it too, so that the service manager
/// proceeds; health checks report the missing endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Notifies readiness (`READY=1`) once an endpoint is ready, or after [`TIMEOUT`]. Does nothing
/// without a service manager.
pub(crate) async fn notify_ready(is_any_ready: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_any_ready() {
        if Instant::now() >= deadline {
            tracing::warn!("no upstream is ready yet");
            break;
        }
        time::sleep(INTERVAL).await;
    }
    service_manager::notify_reliably(State::Ready).await;
}

/// Notifies that a shutdown has begun (`STOPPING=1`).
pub(super) async fn notify_stopping() {
    service_manager::notify_reliably(State::Stopping).await;
}

/// Notifies the watchdog (`WATCHDOG=1`) while every worker makes progress, twice as often as
/// required. Ends at once without a watchdog.
pub(crate) async fn watchdog(heartbeat: Arc<Heartbeat>) {
    let Some(limit) = service_manager::watchdog_interval() else {
        return;
    };
    let mut ticks = time::interval(limit / 2);
    loop {
        ticks.tick().await;
        if heartbeat.is_regular() {
            service_manager::notify(State::Watchdog);
        } else {
            tracing::error!("a worker is blocked");
        }
    }
}
