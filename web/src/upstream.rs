//! The client side towards the app tier: which endpoint gets a request, over which connection, and
//! when a request may be sent again.
//!
//! A request is sent again only if that can do no harm:
//! - any request of which nothing was sent: there was no connection, or it accepted no byte;
//! - an idempotent request without a body, after the connection was lost before any of the response
//!   arrived: twice at most, elsewhere if possible, and within a [`budget`].
//!
//! Any other request is never sent again once a byte may have left. A slow request is not sent a
//! second time either: each attempt would be an access of its own in the audit trail.

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
use retry::Attempt;

/// Why there is no response of an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// No endpoint accepts connections. Nothing was sent.
    #[error("no app can be connected to")]
    Unavailable,
    /// Every endpoint has as many requests as it may have. Nothing was sent.
    #[error("every app is busy")]
    Full,
    /// The connection was lost; what the app did is unknown.
    #[error("the connection to the app was lost: {0}")]
    Lost(#[source] io::Error),
    /// What the app sent is not a response; what it did is unknown.
    #[error(transparent)]
    Malformed(#[from] FramingError),
    /// The app took too long.
    #[error("the app took too long")]
    Slow,
    /// The client's body failed.
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
    /// The endpoints of a list, all with the same name and identity. Follows the list, and probes the
    /// endpoints, until this is dropped.
    ///
    /// Called within the runtime.
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
    /// The URI of `head` is a path and query, and its headers are those for the app; the host and the
    /// framing are added here. The framing follows from the body: its exact size if that is known,
    /// chunks otherwise. Dropped before it completes, it closes the connection.
    ///
    /// A response that arrives before the body was sent ends the sending.
    pub(crate) async fn send<B>(
        &self,
        head: &request::Parts,
        body: &mut B,
    ) -> Result<Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + Send,
    {
        Attempt::new(&self.0, head, body).send(body).await
    }

    /// Whether the last probe of any endpoint succeeded.
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
