//! The readiness of this instance.

use http::StatusCode;

use crate::problem::Problem;
use crate::upstream::Upstreams;

/// Checks that this instance can serve requests: no shutdown has begun, and an endpoint is ready.
///
/// # Errors
/// 503 otherwise.
pub(crate) fn readiness(draining: bool, upstreams: &Upstreams) -> Result<(), Problem> {
    let unavailable = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    if draining {
        return Err(unavailable("this instance is shutting down"));
    }
    if !upstreams.is_any_ready() {
        return Err(unavailable("no upstream is ready"));
    }
    Ok(())
}
