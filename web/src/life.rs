//! How the process begins and ends, as whoever started it sees it.

mod notify;
mod pulse;
mod sockets;

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time,
};
use tokio_util::sync::CancellationToken;

pub(crate) use notify::{announce, watchdog};
pub(crate) use pulse::Pulse;
pub(crate) use sockets::Sockets;

/// The two steps to the end.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// Cancelled first: `/readyz` says no, and all else goes on.
    pub(crate) unready: CancellationToken,
    /// Cancelled then: no new connection is taken, what is in flight is answered.
    pub(crate) shutdown: CancellationToken,
}

/// Ends at SIGTERM or SIGINT; between the two steps is `grace`, which a second signal cuts short.
pub(crate) fn on_signal(grace: Duration) -> io::Result<Ending> {
    let ending = Ending {
        unready: CancellationToken::new(),
        shutdown: CancellationToken::new(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = ending.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        told.unready.cancel();
        tokio::spawn(notify::stopping());
        tokio::select! {
            () = time::sleep(grace) => {}
            () = either(&mut terminate, &mut interrupt) => {}
        }
        told.shutdown.cancel();
    });
    Ok(ending)
}

/// The socket that was handed to us, or one of our own at `address`, which `variable` names.
pub(crate) async fn listen(
    variable: &'static str,
    inherited: Option<TcpListener>,
    address: SocketAddr,
) -> anyhow::Result<TcpListener> {
    if let Some(socket) = inherited {
        return Ok(socket);
    }
    TcpListener::bind(address).await.with_context(|| {
        format!("{variable}: can't listen on {address}; is another process there?")
    })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
