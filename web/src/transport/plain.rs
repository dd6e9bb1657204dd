use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use certs::listener::{Established, Protocol, Refused, Transport};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::EdgeTransport;
use crate::limits::Place;

/// The same without TLS: for the one listener that answers nothing but "use HTTPS".
pub(crate) struct PlainTransport(pub(crate) EdgeTransport);

impl Transport for PlainTransport {
    type Stream = Plain;

    async fn establish(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Refused> {
        let welcome = self.0.welcome(&mut tcp, address).await;
        let (address, place) = welcome.map_err(|turned_away| {
            self.0.metrics.handshake().ended(turned_away.counts);
            Refused::TurnedAway(turned_away.why)
        })?;
        Ok(Established {
            stream: Plain { tcp, place },
            protocol: Protocol::Http1,
            peer: None,
            address,
        })
    }
}

/// A client's connection in the clear, which holds the client's place.
pub(crate) struct Plain {
    tcp: TcpStream,
    #[expect(dead_code, reason = "held for what its drop does")]
    place: Place,
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Plain {
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
