use std::{sync::Arc, time::Duration};

use telemetry::service_manager::{self, State};
use tokio::time::{self, Instant};

use super::pulse::Pulse;

/// How often the apps are looked at until the first is ready.
const LOOK: Duration = Duration::from_millis(50);
/// Without an app we are of little use, but of more than nothing: after so long, whoever started us
/// should go on, and the health checks will say the rest.
const GRACE: Duration = Duration::from_secs(10);

/// Tells the service manager that we are ready: the sockets listen, and an app is ready or has
/// been waited for long enough. Does nothing where there is no service manager.
pub(crate) async fn announce(is_app_ready: impl Fn() -> bool) {
    let deadline = Instant::now() + GRACE;
    while !is_app_ready() {
        if Instant::now() >= deadline {
            tracing::warn!("no app is ready yet");
            break;
        }
        time::sleep(LOOK).await;
    }
    service_manager::tell(State::Ready).await;
}

/// Tells the service manager that we are about to end.
pub(super) async fn stopping() {
    service_manager::tell(State::Stopping).await;
}

/// Tells the service manager that every worker lives, twice as often as it wants to know; ends at
/// once if it does not.
pub(crate) async fn watchdog(pulse: Arc<Pulse>) {
    let Some(limit) = service_manager::patience() else {
        return;
    };
    let mut beat = time::interval(limit / 2);
    loop {
        beat.tick().await;
        if pulse.is_regular() {
            service_manager::mention(State::Alive);
        } else {
            tracing::error!("a worker is stuck");
        }
    }
}
