use std::{future::Future, io, net::SocketAddr};

use rustls::CommonState;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::LateTicket;
use crate::{MutualServer, PeerError, PeerIdentity, PublicServer};

/// What turns an accepted TCP connection into one that HTTP is spoken on.
pub trait Transport: Send + Sync + 'static {
    /// The connection, ready for HTTP.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Makes the handshake with the client at `address`. The caller limits its time.
    fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = Result<Established<Self::Stream>, Refused>> + Send;
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Established<S> {
    /// What HTTP is spoken on.
    pub stream: S,
    /// In which version.
    pub protocol: Protocol,
    /// Who the client is, on a mutual connection.
    pub peer: Option<PeerIdentity>,
    /// Where the client is: the system's word, or that of a load balancer that is trusted with it.
    pub address: SocketAddr,
}

/// The HTTP version of a connection, as agreed in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; also of clients that did not ask for anything.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    fn agreed(connection: &CommonState) -> Self {
        if connection.alpn_protocol() == Some(b"h2") {
            Self::Http2
        } else {
            Self::Http1
        }
    }
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The handshake failed, or the client went away.
    #[error("handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The client is not the one that may connect.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The client may not connect now, or not in this way.
    #[error("{0}")]
    TurnedAway(&'static str),
}

impl PublicServer {
    /// Makes the handshake, and tells what is spoken after it.
    ///
    /// # Errors
    /// The handshake fails, or the client goes away.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<(TlsStream<LateTicket>, Protocol)> {
        let acceptor = TlsAcceptor::from(self.config());
        let mut stream = acceptor.accept(LateTicket::new(tcp)).await?;
        stream.get_mut().0.established();
        let protocol = Protocol::agreed(stream.get_ref().1);
        Ok((stream, protocol))
    }
}

impl Transport for PublicServer {
    type Stream = TlsStream<LateTicket>;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Refused> {
        let (stream, protocol) = self.accept(tcp).await?;
        Ok(Established {
            stream,
            protocol,
            peer: None,
            address,
        })
    }
}

impl Transport for MutualServer {
    type Stream = TlsStream<TcpStream>;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Refused> {
        let stream = TlsAcceptor::from(self.config()).accept(tcp).await?;
        let connection = stream.get_ref().1;
        let peer = Some(PeerIdentity::of(connection, self.client())?);
        let protocol = Protocol::agreed(connection);
        Ok(Established {
            stream,
            protocol,
            peer,
            address,
        })
    }
}

/// No TLS: for the one listener that answers nothing but "use HTTPS".
#[derive(Clone, Copy, Debug)]
pub struct Plaintext;

impl Transport for Plaintext {
    type Stream = TcpStream;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Refused> {
        Ok(Established {
            stream: tcp,
            protocol: Protocol::Http1,
            peer: None,
            address,
        })
    }
}
