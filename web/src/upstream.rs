//! The HTTP client of the app tier: load balancing, connection pool, retries and probes.
//!
//! A request is retried only if that is safe:
//! - any request of which no byte was sent, because there was no connection or it accepted none;
//! - an idempotent request without a body whose connection was lost before any of the response
//!   arrived: at most twice, elsewhere if possible, and within a [`budget`].
//!
//! Any other request is never sent again once a byte may have left. Slow requests are not hedged:
//! each attempt would be a separate access in the audit trail.

mod budget;
mod connection;
mod counters;
mod deadline;
mod discovery;
mod endpoint;
mod exchange;
mod framing;
mod outlier;
mod pool;
mod probe;
mod request_encoder;
mod response_body;
mod response_head;
mod retry;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use certs::MutualClient;
use http::HeaderValue;
use http::Response;
use http::request;
use http_body::Body;

use crate::handler::BodyError;
use crate::limits::UpstreamLimits;

pub(crate) use counters::UpstreamCounters;
use deadline::CoarseClock;
pub(crate) use discovery::Entry;
pub(crate) use discovery::ListError;
use discovery::Resolver;
pub(crate) use discovery::Source;
use endpoint::PoolContext;
pub(crate) use framing::FramingError;
use pool::UpstreamPool;
#[cfg(test)]
pub(crate) use request_encoder::encode;
pub(crate) use response_body::UpstreamBody;
pub(crate) use response_body::UpstreamBodyError;
use retry::UpstreamRequest;

/// Request extension: the client still sends the body. The endpoint gets time for the upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamedBody;

/// A failure to get a response from an endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// No endpoint accepts connections. No byte was sent.
    #[error("no endpoint can be reached")]
    Unavailable,
    /// Every endpoint has its maximum of requests in flight. No byte was sent.
    #[error("every endpoint is busy")]
    Full,
    /// The connection was lost; the endpoint may have executed the request.
    #[error("the connection to the endpoint was lost: {0}")]
    Lost(#[source] io::Error),
    /// The endpoint sent a malformed response; it may have executed the request.
    #[error(transparent)]
    Malformed(#[from] FramingError),
    /// The endpoint exceeded a timeout.
    #[error("the endpoint took too long")]
    Slow,
    /// The client's body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl From<UpstreamBodyError> for UpstreamError {
    fn from(error: UpstreamBodyError) -> Self {
        match error {
            UpstreamBodyError::Lost(error) => Self::Lost(error),
            UpstreamBodyError::Malformed(error) => Self::Malformed(error),
            UpstreamBodyError::Stalled => Self::Slow,
        }
    }
}

/// The app tier.
pub(crate) struct Upstreams(Arc<UpstreamPool>);

impl Upstreams {
    /// Starts discovery and probes of the listed endpoints, which all have the same host name and
    /// identity; they end once this is dropped. Must be called within the runtime.
    ///
    /// # Errors
    /// [`ListError`], if the list cannot be read.
    pub(crate) fn start(
        source: Source,
        host: HeaderValue,
        tls: MutualClient,
        limits: UpstreamLimits,
        counters: Arc<UpstreamCounters>,
    ) -> Result<Self, ListError> {
        let entries = source.entries()?;
        let pool = UpstreamPool::new(PoolContext {
            limits,
            host,
            tls,
            clock: CoarseClock::new(),
            counters,
        });
        let can_change = discovery::can_change(&source, &entries);
        let resolver = Resolver::new(source, entries);
        pool.set(&resolver.addresses());
        if can_change {
            tokio::spawn(resolver.run(Arc::downgrade(&pool)));
        }
        tokio::spawn(pool::run_clock(Arc::downgrade(&pool)));
        Ok(Self(pool))
    }

    /// Sends a request, and waits for the head of its response.
    ///
    /// The URI of `head` is a path and query, and its headers are forwarded as they are; `Host` and
    /// the framing are added: `Content-Length` if the size of the body is known, chunks otherwise.
    /// Dropping the future closes the connection. A response that arrives before the whole body was
    /// sent ends the sending.
    ///
    /// # Errors
    /// [`UpstreamError`], after all retries.
    pub(crate) async fn send<B>(
        &self,
        head: &request::Parts,
        body: &mut B,
    ) -> Result<Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + Send,
    {
        UpstreamRequest::new(&self.0, head, body).send(body).await
    }

    /// Whether any endpoint is ready by its last probes; one failed probe is tolerated.
    pub(crate) fn is_any_ready(&self) -> bool {
        let endpoints = self.0.endpoints();
        endpoints
            .iter()
            .any(|endpoint| endpoint.outliers.is_ready())
    }

    /// Each endpoint's address, and whether it gets requests.
    pub(crate) fn states(&self) -> Vec<(String, bool)> {
        let state = |endpoint: &Arc<endpoint::Endpoint>| {
            let address = endpoint.address().to_owned();
            (address, !endpoint.outliers.is_ejected())
        };
        self.0.endpoints().iter().map(state).collect()
    }
}
