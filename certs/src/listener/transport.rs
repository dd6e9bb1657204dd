use std::{future::Future, io};

use rustls::CommonState;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{MutualServer, PeerError, PeerIdentity, PublicServer};

/// What turns an accepted TCP connection into one that HTTP is spoken on.
pub trait Transport: Send + Sync + 'static {
    /// The connection, ready for HTTP.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Makes the handshake. The caller limits its time.
    fn establish(
        &self,
        tcp: TcpStream,
    ) -> impl Future<Output = Result<Established<Self::Stream>, Refused>> + Send;
}

/// A connection after its handshake.
pub struct Established<S> {
    pub(super) stream: S,
    pub(super) protocol: Protocol,
    pub(super) peer: Option<PeerIdentity>,
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
}

impl Transport for PublicServer {
    type Stream = TlsStream<TcpStream>;

    async fn establish(&self, tcp: TcpStream) -> Result<Established<Self::Stream>, Refused> {
        let stream = TlsAcceptor::from(self.config()).accept(tcp).await?;
        let protocol = Protocol::agreed(stream.get_ref().1);
        Ok(Established {
            stream,
            protocol,
            peer: None,
        })
    }
}

impl Transport for MutualServer {
    type Stream = TlsStream<TcpStream>;

    async fn establish(&self, tcp: TcpStream) -> Result<Established<Self::Stream>, Refused> {
        let stream = TlsAcceptor::from(self.config()).accept(tcp).await?;
        let connection = stream.get_ref().1;
        let peer = Some(PeerIdentity::of(connection, self.client())?);
        let protocol = Protocol::agreed(connection);
        Ok(Established {
            stream,
            protocol,
            peer,
        })
    }
}

/// No TLS: for the one listener that answers nothing but "use HTTPS".
#[derive(Clone, Copy, Debug)]
pub struct Plaintext;

impl Transport for Plaintext {
    type Stream = TcpStream;

    async fn establish(&self, tcp: TcpStream) -> Result<Established<Self::Stream>, Refused> {
        Ok(Established {
            stream: tcp,
            protocol: Protocol::Http1,
            peer: None,
        })
    }
}
