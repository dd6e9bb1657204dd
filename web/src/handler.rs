//! The interface between the two HTTP versions and the request pipeline.

use std::future::Future;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http::Response;
use http::request;
use http_body::Body;

use crate::limits::Limits;
use crate::problem::Problem;

/// The handler of all requests, in both HTTP versions.
pub(crate) trait RequestHandler: Send + Sync + 'static {
    /// The body of a response.
    type Body: Body<Data = Bytes> + Unpin + Send;
    /// The permit that an open HTTP/2 stream holds.
    type StreamPermit: Send;

    /// Handles a request of the client at `address`, and returns the response. Dropping the future
    /// abandons the request.
    fn handle<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        address: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The response to bytes that are not a request.
    fn reject(&self, problem: Problem, client: IpAddr) -> Response<Self::Body>;

    /// Admits one more stream of a client; `None` if the client's share is exhausted.
    fn admit_stream(&self, address: SocketAddr) -> Option<Self::StreamPermit>;

    /// Whether a shutdown has begun, so that clients should reconnect to another instance.
    fn is_draining(&self) -> bool;

    /// The limits towards clients.
    fn limits(&self) -> &Limits;
}

/// The body of a request from a client.
pub(crate) trait RequestBody: Body<Data = Bytes, Error = BodyError> + Unpin + Send {
    /// Ready once the client has disconnected, or reset the stream.
    fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A failure to read a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// The body is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client sends the body more slowly than allowed.
    #[error("the body was sent too slowly")]
    TooSlow,
    /// The memory for bodies, or the client's share of it, is exhausted.
    #[error("there is no memory for the body")]
    Overloaded,
    /// The framing of the body is malformed.
    #[error("the body is malformed")]
    Malformed,
    /// The client disconnected, or reset the stream.
    #[error("the client disconnected")]
    Disconnected,
}

/// Response extension: close the HTTP/1.1 connection after this response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseConnection;
