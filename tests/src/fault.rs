//! A network that fails on demand: a relay of bytes between the edge and one origin.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

/// A fault of the network. It applies to open connections and to new ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No fault: bytes are relayed as they arrive.
    None,
    /// Connections are reset and new ones refused, as after the app's process was killed.
    Killed,
    /// Connections are established, and no byte passes until the fault ends. (Without netem the
    /// kernel still completes every TCP handshake, so the fault begins after it.)
    Blackhole,
    /// Bytes of the app arrive later by this time.
    Delay(Duration),
    /// Bytes of the app arrive at this rate, in bytes per second.
    Throttled(usize),
    /// Connections are reset after this number of bytes of the app, counted from now.
    ResetAfter(usize),
}

/// The relay. When it is dropped, its connections end and its port refuses new ones.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    app: AtomicU16,
    fault: watch::Sender<Fault>,
    opened: AtomicUsize,
}

impl FaultProxy {
    /// Listens on a free port, without an upstream yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            app: AtomicU16::new(0),
            fault: watch::Sender::new(Fault::None),
            opened: AtomicUsize::new(0),
        });
        let mut proxy = Self {
            port: 0,
            shared,
            listening: None,
        };
        proxy.listen().await?;
        Ok(proxy)
    }

    /// The port on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Relays to this port of the loopback interface from now on.
    pub fn set_upstream(&self, app: u16) {
        self.shared.app.store(app, Ordering::SeqCst);
    }

    /// The number of connections that were accepted.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Starts a fault, or ends it with [`Fault::None`].
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub async fn set(&mut self, fault: Fault) -> anyhow::Result<()> {
        if fault == Fault::Killed {
            self.refuse();
        }
        self.shared.fault.send_replace(fault);
        if fault != Fault::Killed && self.listening.is_none() {
            self.listen().await?;
        }
        Ok(())
    }

    fn refuse(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }

    async fn listen(&mut self) -> anyhow::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await.context("no port")?;
        self.port = listener.local_addr()?.port();
        let shared = Arc::clone(&self.shared);
        self.listening = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((edge, _)) = listener.accept().await {
                shared.opened.fetch_add(1, Ordering::SeqCst);
                connections.spawn(Arc::clone(&shared).relay(edge));
                while connections.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.refuse();
    }
}

impl Shared {
    /// Relays one connection until either side ends it. Except for the app's own end of stream, the
    /// connection is reset: a killed process sends no `close_notify`.
    async fn relay(self: Arc<Self>, edge: TcpStream) -> io::Result<()> {
        let app = (Ipv4Addr::LOCALHOST, self.app.load(Ordering::SeqCst));
        let app = TcpStream::connect(app).await?;
        for stream in [&edge, &app] {
            stream.set_nodelay(true)?;
            stream.set_zero_linger()?;
        }
        let (from_edge, to_edge) = edge.into_split();
        let (from_app, to_app) = app.into_split();
        let mut ends = JoinSet::new();
        ends.spawn(pass(from_edge, to_app, self.fault.subscribe(), Side::Edge));
        ends.spawn(pass(from_app, to_edge, self.fault.subscribe(), Side::App));
        // When one direction ends, the other does too: dropping the set aborts it.
        ends.join_next().await.unwrap_or(Ok(Ok(())))?
    }
}

/// The sender of the bytes that are relayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Edge,
    App,
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    side: Side,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    let mut relayed = 0;
    loop {
        let fault = *faults.borrow_and_update();
        if fault == Fault::Killed {
            return Ok(());
        }
        if fault == Fault::Blackhole {
            match faults.changed().await {
                Ok(()) => continue,
                Err(_gone) => return Ok(()),
            }
        }
        let length = tokio::select! {
            read = from.read(&mut bytes) => read?,
            changed = faults.changed() => match changed {
                Ok(()) => continue,
                Err(_gone) => return Ok(()),
            },
        };
        if length == 0 {
            return Ok(());
        }
        let received = bytes.get(..length).unwrap_or_default();
        match fault {
            // Only bytes of the app are delayed, throttled or cut.
            _ if side == Side::Edge => to.write_all(received).await?,
            Fault::None | Fault::Killed | Fault::Blackhole => to.write_all(received).await?,
            Fault::Delay(by) => {
                tokio::time::sleep(by).await;
                to.write_all(received).await?;
            }
            Fault::Throttled(rate) => {
                let piece = rate.div_ceil(20).max(1);
                for piece in received.chunks(piece) {
                    to.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Fault::ResetAfter(after) => {
                let left = after.saturating_sub(relayed).min(length);
                to.write_all(received.get(..left).unwrap_or_default())
                    .await?;
                relayed += length;
                if relayed >= after {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// An origin that echoes all bytes of every connection.
    async fn app() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        port
    }

    /// Sends four bytes and waits a moment for their echo.
    async fn exchange(stream: &mut TcpStream) -> Option<io::Result<usize>> {
        let mut bytes = [0; 4];
        let exchange = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut bytes).await
        };
        timeout(Duration::from_millis(300), exchange).await.ok()
    }

    #[tokio::test]
    async fn open_connections_and_new_ones_meet_the_fault_of_the_moment() {
        let mut proxy = FaultProxy::start().await.unwrap();
        proxy.set_upstream(app().await);
        let connect = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let mut open = connect(proxy.port()).await.unwrap();
        assert!(exchange(&mut open).await.unwrap().is_ok());

        proxy.set(Fault::Blackhole).await.unwrap();
        assert!(exchange(&mut open).await.is_none());
        assert!(
            exchange(&mut connect(proxy.port()).await.unwrap())
                .await
                .is_none()
        );

        proxy
            .set(Fault::Delay(Duration::from_secs(5)))
            .await
            .unwrap();
        assert!(
            exchange(&mut connect(proxy.port()).await.unwrap())
                .await
                .is_none()
        );

        proxy.set(Fault::ResetAfter(2)).await.unwrap();
        let mut cut = connect(proxy.port()).await.unwrap();
        assert!(exchange(&mut cut).await.unwrap().is_err());

        proxy.set(Fault::Killed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(exchange(&mut open).await.unwrap().is_err());
        assert!(connect(proxy.port()).await.is_err());

        proxy.set(Fault::Throttled(1000)).await.unwrap();
        assert!(
            exchange(&mut connect(proxy.port()).await.unwrap())
                .await
                .unwrap()
                .is_ok()
        );
        proxy.set(Fault::None).await.unwrap();
        assert!(
            exchange(&mut connect(proxy.port()).await.unwrap())
                .await
                .unwrap()
                .is_ok()
        );
        assert_eq!(proxy.opened(), 6);
    }
}
