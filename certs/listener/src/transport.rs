//! From an accepted TCP connection to a stream that HTTP is spoken on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::CommonState;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use certs::MutualConnection;
use certs::MutualError;
use certs::MutualServer;
use certs::PeerError;
use certs::PeerIdentity;
use certs::PublicServer;

/// Makes a stream that HTTP is spoken on of an accepted TCP connection.
pub trait Transport: Send + Sync + 'static {
    /// The stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Completes the handshake with the client at `address`. The caller limits its time.
    fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = Result<Established<Self::Stream>, Rejected>> + Send;
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Established<S> {
    /// The stream that HTTP is spoken on.
    pub stream: S,
    /// The version of HTTP.
    pub protocol: Protocol,
    /// The client's identity, on a mutual connection.
    pub peer: Option<PeerIdentity>,
    /// The client's address, as the kernel or a trusted load balancer reports it.
    pub address: SocketAddr,
    /// How long the certificates of both sides remain valid, on a mutual connection. The connection
    /// ends by then.
    pub valid_for: Option<Duration>,
}

/// The HTTP version of a connection, as agreed in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; also for clients without ALPN.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// The version that the ALPN of a finished handshake agreed on.
    #[must_use]
    pub fn agreed(connection: &CommonState) -> Self {
        if connection.alpn_protocol() == Some(b"h2") {
            Self::Http2
        } else {
            Self::Http1
        }
    }
}

/// Why a connection was not established.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The handshake failed, or the client disconnected.
    #[error("handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The client has a valid certificate of another workload.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The client may not connect now, or not in this way.
    #[error("{0}")]
    NotAdmitted(&'static str),
}

impl From<MutualError> for Rejected {
    fn from(error: MutualError) -> Self {
        match error {
            MutualError::Handshake(error) => Self::Handshake(error),
            MutualError::Peer(error) => Self::Peer(error),
        }
    }
}

/// HTTP/1.1 alone, as [`Http1`](super::Http1) serves it: the edge, which speaks HTTP/2 too, has a
/// transport of its own.
impl Transport for PublicServer {
    type Stream = TlsStream<TcpStream>;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        let mut config = (*self.config()).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
        Ok(Established {
            stream,
            protocol: Protocol::Http1,
            peer: None,
            address,
            valid_for: None,
        })
    }
}

impl Transport for MutualServer {
    type Stream = TlsStream<TcpStream>;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        let MutualConnection {
            stream,
            peer,
            remaining,
        } = self.accept(tcp).await?;
        let protocol = Protocol::agreed(stream.get_ref().1);
        Ok(Established {
            stream,
            protocol,
            peer: Some(peer),
            address,
            valid_for: Some(remaining),
        })
    }
}

/// A transport without TLS, for listeners that serve no data: the redirect to HTTPS, and metrics on
/// the loopback interface.
#[derive(Clone, Copy, Debug)]
pub struct Plaintext;

impl Transport for Plaintext {
    type Stream = TcpStream;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        Ok(Established {
            stream: tcp,
            protocol: Protocol::Http1,
            peer: None,
            address,
            valid_for: None,
        })
    }
}
