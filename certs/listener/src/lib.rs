#![doc = include_str!("../README.md")]

mod activity;
mod http1;
mod limits;
mod throughput;
mod transport;

use std::future;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use http1::Http1;
pub use limits::Limits;
pub use throughput::ThroughputGuard;
pub use transport::Established;
pub use transport::Plaintext;
pub use transport::Protocol;
pub use transport::Rejected;
pub use transport::Transport;

/// The client's address, reported by the kernel or by a trusted proxy's PROXY header; never taken
/// from a header that the client controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The outcome of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All connections ended before the deadline.
    Complete,
    /// This number of connections was still open at the deadline and was aborted.
    Forced(usize),
}

/// The HTTP server of one connection, after its handshake.
pub trait ConnectionHandler<S>: Send + Sync + 'static {
    /// Serves a connection until it ends. Once `shutdown` is cancelled, requests in flight are
    /// completed and no further ones are accepted.
    fn handle(
        &self,
        established: Established<S>,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// Serves `listener` until `shutdown`, then drains: stops accepting connections, completes requests
/// in flight, and aborts the remaining connections after [`Limits::drain_timeout`].
pub async fn serve<T, H>(
    listener: TcpListener,
    transport: T,
    handler: H,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained
where
    T: Transport,
    H: ConnectionHandler<T::Stream>,
{
    let server = Arc::new(Server {
        transport,
        handler,
        limits,
        shutdown,
        abort: CancellationToken::new(),
    });
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(server.limits.max_connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((tcp, address, permit)) = accepted else {
            continue;
        };
        let server = Arc::clone(&server);
        connections.spawn(async move {
            tokio::select! {
                () = server.abort.cancelled() => {}
                () = server.handle_connection(tcp, address) => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    if time::timeout(server.limits.drain_timeout, connections.wait())
        .await
        .is_ok()
    {
        return Drained::Complete;
    }
    let remaining = connections.len();
    server.abort.cancel();
    connections.wait().await;
    Drained::Forced(remaining)
}

/// Waits for a free permit, then for a connection. Further clients wait in the kernel's accept
/// queue, where they use no memory of this process.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, address)) => Some((tcp, address, permit)),
        Err(error) => {
            // Out of file descriptors (a pause helps), or the client has already disconnected.
            tracing::warn!(%error, "accept failed");
            time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Logs a rejected connection; as a warning, unless the client only disconnected.
fn log(rejected: &Rejected) {
    match rejected {
        Rejected::Handshake(error) if error.kind() != io::ErrorKind::InvalidData => {
            tracing::debug!(%rejected, "handshake failed");
        }
        // Counted by the transport. A warning for each would let an attacker fill the log.
        Rejected::NotAdmitted(_) => tracing::debug!(%rejected, "connection not admitted"),
        Rejected::Handshake(_) | Rejected::Peer(_) => {
            tracing::warn!(%rejected, "connection rejected");
        }
    }
}

struct Server<T, H> {
    transport: T,
    handler: H,
    limits: Limits,
    shutdown: CancellationToken,
    /// Cancelled at the deadline of the drain.
    abort: CancellationToken,
}

impl<T: Transport, H: ConnectionHandler<T::Stream>> Server<T, H> {
    /// Serves one connection, from the handshake to its end.
    async fn handle_connection(&self, tcp: TcpStream, address: SocketAddr) {
        let handshake = async {
            tcp.set_nodelay(true).map_err(Rejected::Handshake)?;
            self.transport.establish(tcp, address).await
        };
        // Also during a shutdown: the client was accepted here and can only be served here.
        let established = match time::timeout(self.limits.handshake_timeout, handshake).await {
            Ok(Ok(established)) => established,
            Ok(Err(rejected)) => return log(&rejected),
            Err(_elapsed) => return,
        };
        let now = Instant::now();
        let grace = now + self.limits.shutdown_grace;
        let expires = established.valid_for.map(|valid| now + valid);
        let ending = CancellationToken::new();
        let end = async {
            tokio::select! {
                () = self.shutdown.cancelled() => time::sleep_until(grace).await,
                () = expired(expires) => {}
            }
            ending.cancel();
            future::pending::<()>().await;
        };
        tokio::select! {
            () = self.handler.handle(established, &self.limits, &ending) => {}
            () = end => {}
        }
    }
}

/// Completes at the end of the certificates' validity, if the connection depends on one.
async fn expired(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
#[path = "../../src/testing.rs"]
mod testing;
#[cfg(test)]
mod tests;
