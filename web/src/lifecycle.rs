//! The start and the shutdown of the process under a service manager.

mod heartbeat;
mod notify;
mod sockets;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::time;
use tokio_util::sync::CancellationToken;

pub(crate) use heartbeat::Heartbeat;
pub(crate) use notify::notify_ready;
pub(crate) use notify::watchdog;
pub(crate) use sockets::Sockets;

/// The two steps of a shutdown.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    /// Cancelled first: `/readyz` fails, all other requests are served.
    pub(crate) unready: CancellationToken,
    /// Cancelled second: no connection is accepted any more, requests in flight are completed.
    pub(crate) drain: CancellationToken,
}

/// Shuts down at SIGTERM or SIGINT. `grace` is the time between the two steps; a second signal ends
/// it early.
pub(crate) fn on_signal(grace: Duration) -> io::Result<Shutdown> {
    let shutdown = Shutdown {
        unready: CancellationToken::new(),
        drain: CancellationToken::new(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = shutdown.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        signalled.unready.cancel();
        tokio::spawn(notify::notify_stopping());
        tokio::select! {
            () = time::sleep(grace) => {}
            () = either(&mut terminate, &mut interrupt) => {}
        }
        signalled.drain.cancel();
    });
    Ok(shutdown)
}

/// The inherited socket, or a new one bound to `address`, the value of `variable`.
pub(crate) async fn listen(
    variable: &'static str,
    inherited: Option<TcpListener>,
    address: SocketAddr,
) -> anyhow::Result<TcpListener> {
    if let Some(socket) = inherited {
        return Ok(socket);
    }
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{variable}: cannot listen on {address}; does another process?"))
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
