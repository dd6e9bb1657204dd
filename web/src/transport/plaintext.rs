//! The transport of the plaintext listener, which redirects to HTTPS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use listener::Established;
use listener::Protocol;
use listener::Rejected;
use listener::Transport;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::EdgeTransport;
use crate::admission::SharePermit;

/// [`EdgeTransport`] without TLS.
pub(crate) struct PlaintextTransport(pub(crate) EdgeTransport);

impl Transport for PlaintextTransport {
    type Stream = PlaintextStream;

    async fn establish(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        let admitted = self.0.admit(&mut tcp, address).await;
        let (address, permit) = admitted.map_err(|not_admitted| {
            self.0.metrics.handshake().ended(not_admitted.outcome);
            Rejected::NotAdmitted(not_admitted.reason)
        })?;
        Ok(Established {
            stream: PlaintextStream { tcp, permit },
            protocol: Protocol::Http1,
            peer: None,
            address,
            valid_for: None,
        })
    }
}

/// A client's TCP stream, with the client's connection permit.
pub(crate) struct PlaintextStream {
    tcp: TcpStream,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: SharePermit,
}

impl AsyncRead for PlaintextStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PlaintextStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
