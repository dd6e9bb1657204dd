//! Transports: the handshake between an accepted TCP connection and its HTTP stream.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::CommonState;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use certs::MutualConnection;
use certs::MutualError;
use certs::MutualServer;
use certs::PeerError;
use certs::PeerIdentity;

/// The handshake that turns an accepted TCP connection into a stream for HTTP.
pub trait Transport: Send + Sync + 'static {
    /// The stream for HTTP.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Completes the handshake with the client at `address`. The caller limits the time.
    ///
    /// # Errors
    /// [`Rejected`].
    fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = Result<Established<Self::Stream>, Rejected>> + Send;
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Established<S> {
    /// The stream for HTTP.
    pub stream: S,
    /// The HTTP version.
    pub protocol: Protocol,
    /// The client's identity, on a mutual connection.
    pub peer: Option<PeerIdentity>,
    /// The client's address, reported by the kernel or by a trusted proxy.
    pub address: SocketAddr,
    /// The time for which the certificates of both sides remain valid, on a mutual connection. The
    /// connection ends by then.
    pub valid_for: Option<Duration>,
}

/// The HTTP version of a connection, negotiated in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; also the version of clients without ALPN.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// The version negotiated by ALPN in a finished handshake.
    #[must_use]
    pub fn negotiated(connection: &CommonState) -> Self {
        if connection.alpn_protocol() == Some(b"h2") {
            Self::Http2
        } else {
            Self::Http1
        }
    }
}

/// A connection that was not established.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The handshake failed, or the client disconnected.
    #[error("handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The client has a valid certificate of another workload.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The transport's admission rules do not admit the client.
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
        let protocol = Protocol::negotiated(stream.get_ref().1);
        Ok(Established {
            stream,
            protocol,
            peer: Some(peer),
            address,
            valid_for: Some(remaining),
        })
    }
}

/// A transport without TLS and without admission, for metrics on the loopback interface. The
/// redirect to HTTPS, which any client reaches, has a transport of the web tier.
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
