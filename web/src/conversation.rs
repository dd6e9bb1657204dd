use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use certs::listener::{Conversation, Established, Http, Limits, PeerAddress, Protocol};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::{
    body::{EdgeBody, Http2Body},
    edge::Edge,
    http1,
    transport::Parting,
};

/// What the edge speaks with clients: HTTP/1.1 by itself, HTTP/2 through hyper.
pub(crate) struct Talk(pub(crate) Arc<Edge>);

impl<S> Conversation<S> for Talk
where
    S: AsyncRead + AsyncWrite + Parting + Unpin + Send + 'static,
{
    async fn hold(
        &self,
        established: Established<S>,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) {
        if established.protocol == Protocol::Http1 {
            let Established {
                stream, address, ..
            } = established;
            return http1::hold(stream, address, &self.0, shutdown).await;
        }
        let edge = Arc::clone(&self.0);
        // In a box, because HTTP/2 moves it from place to place.
        let answer = service_fn(move |request| Box::pin(answer(Arc::clone(&edge), request)));
        Http(answer).hold(established, limits, shutdown).await;
    }
}

/// Where a client is that the listener says nothing of, which does not happen.
const NOBODY: PeerAddress = PeerAddress(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

async fn answer(
    edge: Arc<Edge>,
    request: Request<Incoming>,
) -> Result<Response<EdgeBody>, Infallible> {
    let (mut head, body) = request.into_parts();
    let PeerAddress(address) = head.extensions.remove().unwrap_or(NOBODY);
    let mut body = Http2Body::new(body);
    let answer = edge.answer(head, &mut body, address).await;
    body.linger(&edge.limits);
    Ok(answer)
}
