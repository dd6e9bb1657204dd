//! The apps: several, each behind a pool of verified connections.

mod pool;

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use certs::MutualClient;
use http::{HeaderValue, Method, Request, Response, header::HOST};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

pub(crate) use pool::Lease;
use pool::{Connection, Pool, SendError};

use crate::body::{BodyError, RequestBody};

/// From handing a request on to the head of its answer. Less than what the listener lets a
/// connection stand still for.
const ANSWER: Duration = Duration::from_secs(100);

/// Why there is no answer of an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// No app can be connected to. Nothing was sent.
    #[error("no app can be connected to")]
    Unavailable,
    /// The connection broke while the answer was awaited; what the app did is unknown.
    #[error("the app did not answer: {0}")]
    Lost(#[source] hyper::Error),
    /// The app takes too long.
    #[error("the app took too long")]
    Slow,
    /// It is the client's body that failed.
    #[error(transparent)]
    Body(#[from] BodyFault),
}

/// What was wrong with the client's body; [`BodyError`], told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    /// See [`BodyError::TooLarge`].
    #[error("the body is too large")]
    TooLarge,
    /// See [`BodyError::TooSlow`].
    #[error("the body came too slowly")]
    TooSlow,
    /// See [`BodyError::Client`].
    #[error("the body ended early")]
    Broken,
}

/// The apps, and which of them is next.
pub(crate) struct Upstreams {
    pools: Vec<Arc<Pool>>,
    host: HeaderValue,
    turn: AtomicUsize,
}

impl Upstreams {
    /// Apps at `addresses`, all of them known by the same name and identity.
    pub(crate) fn new(addresses: &[String], host: HeaderValue, tls: &MutualClient) -> Self {
        let pool = |address: &String| Arc::new(Pool::new(address.clone(), tls.clone()));
        Self {
            pools: addresses.iter().map(pool).collect(),
            host,
            turn: AtomicUsize::new(0),
        }
    }

    /// Hands a request on, and awaits the head of its answer.
    ///
    /// It is handed on again only if nothing of it was sent; and, if it changes nothing and has no
    /// body, once more after a pooled connection broke, which the app may just have closed.
    pub(crate) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        request.headers_mut().insert(HOST, self.host.clone());
        timeout(ANSWER, self.attempt(request))
            .await
            .map_err(|_elapsed| UpstreamError::Slow)?
    }

    async fn attempt(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        let mut copy = copy_of_harmless(&request);
        loop {
            let connection = self.connection().await?;
            let pooled = connection.is_reused();
            match connection.send(request).await {
                Ok(answer) => return Ok(answer),
                Err(SendError::Unsent(unsent)) => request = *unsent,
                Err(SendError::Lost(error)) => match (body_fault(&error), copy.take()) {
                    (Some(fault), _) => return Err(fault.into()),
                    (None, Some(again)) if pooled => request = again,
                    (None, _) => return Err(UpstreamError::Lost(error)),
                },
            }
        }
    }

    /// A connection to the least busy app that can be connected to.
    async fn connection(&self) -> Result<Connection, UpstreamError> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let count = self.pools.len();
        let mut order: Vec<&Arc<Pool>> = (0..count)
            .filter_map(|at| self.pools.get((turn.wrapping_add(at)) % count))
            .collect();
        // Stable: among equally busy ones, the turn decides.
        order.sort_by_key(|pool| (pool.is_resting(), pool.busy()));
        for pool in order {
            match pool.connection().await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    let address = pool.address();
                    tracing::warn!(upstream = address, %error, "an app can't be connected to");
                }
            }
        }
        Err(UpstreamError::Unavailable)
    }
}

/// A copy of a request that may be sent twice: it changes nothing, and has no body.
fn copy_of_harmless(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD);
    if !harmless || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// The fault of the client's body, if that is what ended the exchange.
fn body_fault(error: &hyper::Error) -> Option<BodyFault> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(fault) = cause.downcast_ref::<BodyError>() {
            return Some(match fault {
                BodyError::TooLarge => BodyFault::TooLarge,
                BodyError::TooSlow => BodyFault::TooSlow,
                BodyError::Client(_) => BodyFault::Broken,
            });
        }
        source = cause.source();
    }
    None
}
