//! What the two versions of HTTP share: requests go to a handler, whose responses they send.

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

/// Handles the requests of all connections.
pub(crate) trait RequestHandler: Send + Sync + 'static {
    /// The body of a response.
    type Body: Body<Data = Bytes> + Unpin + Send;
    /// The right of an HTTP/2 stream to be open.
    type StreamPermit: Send;

    /// The response to a request of the client at `address`. Dropped before it is complete, it
    /// abandons the request.
    fn handle<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        address: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The response to bytes that are not a request.
    fn reject(&self, problem: Problem, client: IpAddr) -> Response<Self::Body>;

    /// Admits one more stream of a client; `None` if it has its share.
    fn admit_stream(&self, address: SocketAddr) -> Option<Self::StreamPermit>;

    /// Whether the process is about to end, so that clients should reconnect elsewhere.
    fn is_draining(&self) -> bool;

    /// The limits towards clients.
    fn limits(&self) -> &Limits;
}

/// A request's body, as a client sends it.
pub(crate) trait RequestBody: Body<Data = Bytes, Error = BodyError> + Unpin + Send {
    /// Ready once the client has disconnected, or reset the stream.
    fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client sends more slowly than allowed.
    #[error("the body was sent too slowly")]
    TooSlow,
    /// There is no memory for it, or the client holds its share of memory.
    #[error("there is no memory for the body")]
    Overloaded,
    /// Its framing is broken.
    #[error("the body is malformed")]
    Malformed,
    /// The client disconnected, or reset the stream.
    #[error("the client disconnected")]
    Disconnected,
}

/// Response extension: close the HTTP/1.1 connection after this response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseConnection;
