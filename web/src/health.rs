use http::StatusCode;

use crate::problem::Problem;
use crate::upstream::Upstreams;

/// Whether requests would be answered: we are not about to end, and an app says that it is ready.
pub(crate) fn readiness(draining: bool, upstreams: &Upstreams) -> Result<(), Problem> {
    let unavailable = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    if draining {
        return Err(unavailable("this instance is about to end"));
    }
    if !upstreams.is_any_ready() {
        return Err(unavailable("no app is ready"));
    }
    Ok(())
}
