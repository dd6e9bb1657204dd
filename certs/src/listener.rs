//! The accept loop of both tiers.
//!
//! Each connection passes a [`Transport`] (handshake, protocol from ALPN and never guessed) and is
//! held by a [`Conversation`]: [`Http`] for a service that needs no more. Whoever is silent is
//! closed: see [`Limits`].

mod activity;
mod frames;
mod in_task;
mod late;
mod limits;
mod pace;
mod service;
mod transport;
mod wire;

use std::{
    future::{self, Future},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use late::LateTicket;
pub use limits::Limits;
pub use pace::Pace;
pub use service::Http;
pub use transport::{Established, Plaintext, Protocol, Refused, Transport};

/// Where a connection comes from, as the system says, or a load balancer that is trusted with it:
/// never what a client says of itself.
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

/// What is spoken on a connection after its handshake.
pub trait Conversation<S>: Send + Sync + 'static {
    /// Speaks until the connection's end. When `shutdown` comes, what is in flight is answered and
    /// nothing else is begun.
    fn hold(
        &self,
        established: Established<S>,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// Serves `listener` until `shutdown`, then drains: no new connection is taken, HTTP/2 clients get
/// a GOAWAY, what is in flight is answered, and the rest is cut after [`Limits::drain`].
pub async fn serve<T, C>(
    listener: TcpListener,
    transport: T,
    conversation: C,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained
where
    T: Transport,
    C: Conversation<T::Stream>,
{
    let server = Arc::new(Server {
        transport,
        conversation,
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
        // Whoever turns away counts. A line for each would be an attacker's way into the log.
        Refused::TurnedAway(_) => tracing::debug!(%refused, "turned away"),
        Refused::Handshake(_) | Refused::Peer(_) => {
            tracing::warn!(%refused, "connection refused");
        }
    }
}

struct Server<T, C> {
    transport: T,
    conversation: C,
    limits: Limits,
    shutdown: CancellationToken,
    /// Ends what is still open at the deadline.
    cut: CancellationToken,
}

impl<T: Transport, C: Conversation<T::Stream>> Server<T, C> {
    /// One connection, from the handshake to its end.
    async fn attend(&self, tcp: TcpStream, address: SocketAddr) {
        let handshake = async {
            tcp.set_nodelay(true).map_err(Refused::Handshake)?;
            self.transport.establish(tcp, address).await
        };
        // Also during the shutdown: whoever was let in has a request to make.
        let established = match time::timeout(self.limits.handshake, handshake).await {
            Ok(Ok(established)) => established,
            Ok(Err(refused)) => return tell(&refused),
            Err(_elapsed) => return,
        };
        let last_call = Instant::now() + self.limits.last_call;
        let ending = CancellationToken::new();
        let end = async {
            self.shutdown.cancelled().await;
            time::sleep_until(last_call).await;
            ending.cancel();
            future::pending::<()>().await;
        };
        tokio::select! {
            () = self.conversation.hold(established, &self.limits, &ending) => {}
            () = end => {}
        }
    }
}

#[cfg(test)]
mod tests;
