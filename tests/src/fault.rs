//! A network that fails on demand: it stands between the edge and one app, and only relays bytes.

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

/// What is wrong. It holds for connections that are open as well as for new ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nothing: bytes are relayed as they come.
    None,
    /// Connections are reset, and new ones refused, as when the app's process was killed.
    Killed,
    /// Connections are made, and nothing that is said on them arrives until this is over. (A kernel
    /// that has no netem answers every SYN by itself, so this begins after it.)
    Blackhole,
    /// What the app says arrives so much later.
    Slow(Duration),
    /// What the app says arrives at so many bytes a second.
    Throttled(usize),
    /// Connections are reset when the app has said so many bytes from now on.
    Cut(usize),
}

/// The relay. Its port refuses, and its connections end, when it is dropped.
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
    /// Listens on a port of its own; leads nowhere yet.
    ///
    /// # Errors
    /// When there is no port.
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

    /// Where it listens, on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads to an app's port from now on.
    pub fn lead_to(&self, app: u16) {
        self.shared.app.store(app, Ordering::SeqCst);
    }

    /// How many connections were made through it, or tried.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Goes wrong, or right again.
    ///
    /// # Errors
    /// When its port was taken by somebody else meanwhile.
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
    /// One connection, to its end. Every end but the app's own is a reset: a process that is killed
    /// says no goodbye either.
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
        // The first end is the end of both; dropping the set ends the other.
        ends.join_next().await.unwrap_or(Ok(Ok(())))?
    }
}

/// Whose words are passed on.
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
    let mut said = 0;
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
        let heard = bytes.get(..length).unwrap_or_default();
        match fault {
            // Only what the app says is spoiled.
            _ if side == Side::Edge => to.write_all(heard).await?,
            Fault::None | Fault::Killed | Fault::Blackhole => to.write_all(heard).await?,
            Fault::Slow(by) => {
                tokio::time::sleep(by).await;
                to.write_all(heard).await?;
            }
            Fault::Throttled(rate) => {
                let piece = rate.div_ceil(20).max(1);
                for piece in heard.chunks(piece) {
                    to.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Fault::Cut(after) => {
                let left = after.saturating_sub(said).min(length);
                to.write_all(heard.get(..left).unwrap_or_default()).await?;
                said += length;
                if said >= after {
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

    /// Echoes whatever it is told, on every connection.
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

    /// Says four bytes and waits a moment for as many.
    async fn says(stream: &mut TcpStream) -> Option<io::Result<usize>> {
        let mut bytes = [0; 4];
        let talk = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut bytes).await
        };
        timeout(Duration::from_millis(300), talk).await.ok()
    }

    #[tokio::test]
    async fn open_connections_and_new_ones_meet_the_fault_of_the_moment() {
        let mut proxy = FaultProxy::start().await.unwrap();
        proxy.lead_to(app().await);
        let connect = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let mut open = connect(proxy.port()).await.unwrap();
        assert!(says(&mut open).await.unwrap().is_ok());

        proxy.set(Fault::Blackhole).await.unwrap();
        assert!(says(&mut open).await.is_none());
        assert!(
            says(&mut connect(proxy.port()).await.unwrap())
                .await
                .is_none()
        );

        proxy
            .set(Fault::Slow(Duration::from_secs(5)))
            .await
            .unwrap();
        assert!(
            says(&mut connect(proxy.port()).await.unwrap())
                .await
                .is_none()
        );

        proxy.set(Fault::Cut(2)).await.unwrap();
        let mut cut = connect(proxy.port()).await.unwrap();
        assert!(says(&mut cut).await.unwrap().is_err());

        proxy.set(Fault::Killed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(says(&mut open).await.unwrap().is_err());
        assert!(connect(proxy.port()).await.is_err());

        proxy.set(Fault::Throttled(1000)).await.unwrap();
        assert!(
            says(&mut connect(proxy.port()).await.unwrap())
                .await
                .unwrap()
                .is_ok()
        );
        proxy.set(Fault::None).await.unwrap();
        assert!(
            says(&mut connect(proxy.port()).await.unwrap())
                .await
                .unwrap()
                .is_ok()
        );
        assert_eq!(proxy.opened(), 6);
    }
}
