//! The accept loop of both tiers.
//!
//! Each connection passes handshake, protocol (from ALPN, never guessed), service. Whoever is
//! silent is closed: see [`Limits`]. The service finds the [`PeerAddress`] in a request's
//! extensions, and on a mutual connection the [`PeerIdentity`](crate::PeerIdentity).

mod activity;
mod connection;
mod limits;
mod transport;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

pub use limits::Limits;
pub use transport::{Established, Plaintext, Protocol, Refused, Transport};

/// Where a connection comes from, as the system says: never what a client says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// How an accept loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Complete,
    /// So many connections were still open at the deadline, and were cut.
    Cut(usize),
}

/// Serves `listener` until `shutdown`, then drains: no new connection is taken, HTTP/2 clients get
/// a GOAWAY, what is in flight is answered, and the rest is cut after [`Limits::drain`].
pub async fn serve<T, S, B>(
    listener: TcpListener,
    transport: T,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained
where
    T: Transport,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let server = Arc::new(Server {
        transport,
        service,
        limits,
        shutdown,
        cut: CancellationToken::new(),
    });
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((tcp, address, place)) = accepted else {
            continue;
        };
        let server = Arc::clone(&server);
        connections.spawn(async move {
            tokio::select! {
                () = server.cut.cancelled() => {}
                () = server.attend(tcp, address) => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if time::timeout(server.limits.drain, connections.wait())
        .await
        .is_ok()
    {
        return Drained::Complete;
    }
    let left = connections.len();
    server.cut.cancel();
    connections.wait().await;
    Drained::Cut(left)
}

/// Waits for a free place, then for a connection: while there is no place, clients queue in the
/// kernel instead of taking memory here.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, address)) => Some((tcp, address, place)),
        Err(error) => {
            // Out of file descriptors, or the client gave up: in the first case a pause helps.
            tracing::warn!(%error, "accept failed");
            time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Whoever was refused for what they showed is worth a line; who went away is not.
fn tell(refused: &Refused) {
    match refused {
        Refused::Handshake(error) if error.kind() != io::ErrorKind::InvalidData => {
            tracing::debug!(%refused, "no handshake");
        }
        Refused::Handshake(_) | Refused::Peer(_) => {
            tracing::warn!(%refused, "connection refused");
        }
    }
}

struct Server<T, S> {
    transport: T,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
    /// Ends what is still open at the deadline.
    cut: CancellationToken,
}

impl<T: Transport, S> Server<T, S> {
    /// One connection, from the handshake to its end.
    async fn attend<B>(&self, tcp: TcpStream, address: SocketAddr)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let handshake = async {
            tcp.set_nodelay(true).map_err(Refused::Handshake)?;
            self.transport.establish(tcp).await
        };
        let established = tokio::select! {
            () = self.shutdown.cancelled() => return,
            handshake = time::timeout(self.limits.handshake, handshake) => match handshake {
                Ok(Ok(established)) => established,
                Ok(Err(refused)) => return tell(&refused),
                Err(_elapsed) => return,
            },
        };
        connection::serve(
            established,
            PeerAddress(address),
            self.service.clone(),
            &self.limits,
            &self.shutdown,
        )
        .await;
    }
}

#[cfg(test)]
mod tests;
