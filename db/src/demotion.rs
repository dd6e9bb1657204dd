//! The time of the latest demotion of a server, after which every older connection is closed.
//!
//! A server that was demoted to read-only (by a failover, or as an expelled member of a group) keeps its connections and
//! refuses each write on them. The code that handles the error has no access to the connection. So it records the time,
//! and the pool closes all connections that are older; the next connection is to the server that the name then resolves
//! to. The time is shared by all pools of the process: a connection that was closed needlessly is opened again.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// The time of the latest demotion.
static LATEST: Mutex<Option<Instant>> = Mutex::new(None);

/// Records that a server reported to be read-only.
pub(crate) fn record() {
    *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection of this age was opened before the latest demotion.
pub(crate) fn is_outdated(age: Duration) -> bool {
    let latest = *LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    latest.is_some_and(|latest| latest.elapsed() <= age)
}
