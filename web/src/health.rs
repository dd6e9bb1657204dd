use std::time::Duration;

use http::{Request, StatusCode, Uri};
use telemetry::{RequestId, X_REQUEST_ID};
use tokio::time::timeout;

use crate::{body::RequestBody, problem::Problem, upstream::Upstreams};

/// How long an app may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether requests would be answered: we are not about to end, and an app says that it is ready.
pub(crate) async fn readiness(
    draining: bool,
    upstreams: &Upstreams,
    id: RequestId,
) -> Result<(), Problem> {
    let unavailable = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    if draining {
        return Err(unavailable("this instance is about to end"));
    }
    let mut request = Request::new(RequestBody::empty());
    *request.uri_mut() = Uri::from_static("/readyz");
    request
        .headers_mut()
        .insert(X_REQUEST_ID, id.header_value());
    match timeout(PATIENCE, upstreams.send(request)).await {
        Ok(Ok((answer, _lease))) if answer.status() == StatusCode::OK => Ok(()),
        _ => Err(unavailable("no app is ready")),
    }
}
