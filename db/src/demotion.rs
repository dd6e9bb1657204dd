//! The latest demotion: an answer that the server is read-only, after which every older connection is closed.
//!
//! A server that was demoted (a failover, an expelled member of a group) keeps its connections and refuses each write
//! on them. The driver hands no connection to the code that sees the error, so the time is noted, and the pool closes
//! what was connected before: the next connection is made to whichever server then has the name. One note serves all
//! pools of the process: a connection that was closed without need is made again.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// The time of the latest demotion.
static LATEST: Mutex<Option<Instant>> = Mutex::new(None);

/// Notes that a server answered that it is read-only.
pub(crate) fn notice() {
    *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection of this age was made before the latest demotion.
pub(crate) fn outdates(age: Duration) -> bool {
    let latest = *LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    latest.is_some_and(|latest| latest.elapsed() <= age)
}
