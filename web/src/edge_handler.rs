//! The connection handler of the edge: HTTP/1.1 or HTTP/2.

use std::sync::Arc;

use listener::ConnectionHandler;
use listener::Established;
use listener::Limits;
use listener::Protocol;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

use crate::edge::Edge;
use crate::h2;
use crate::http1;
use crate::http1::CoalescedClose;

/// A handler that serves each connection in the HTTP version negotiated by ALPN.
pub(crate) struct EdgeHandler(pub(crate) Arc<Edge>);

impl<S> ConnectionHandler<S> for EdgeHandler
where
    S: AsyncRead + AsyncWrite + CoalescedClose + Unpin + Send + 'static,
{
    async fn handle(&self, established: Established<S>, _: &Limits, shutdown: &CancellationToken) {
        let Established {
            stream, address, ..
        } = established;
        let edge = &*self.0;
        match established.protocol {
            Protocol::Http1 => http1::serve(stream, address, edge, shutdown).await,
            Protocol::Http2 => h2::serve(stream, address, edge, shutdown).await,
        }
    }
}
