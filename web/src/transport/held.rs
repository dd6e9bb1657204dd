use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use certs::listener::LateTicket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::{parting::Parting, taking::Taking};
use crate::limits::Place;

/// A client's TLS connection: it holds the client's place, and ends when the client does not take
/// what it is sent.
pub(crate) struct Held {
    stream: TlsStream<LateTicket>,
    taking: Taking,
    #[expect(dead_code, reason = "held for what its drop does")]
    place: Place,
}

impl Held {
    pub(super) fn new(stream: TlsStream<LateTicket>, place: Place) -> Self {
        Self {
            stream,
            taking: Taking::default(),
            place,
        }
    }

    /// An error when the client does not take what it was sent before.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.taking.is_over(self.stream.get_ref().0.tcp(), cx) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.taking.wrote(*bytes, cx),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.taking.blocked(),
        }
        written
    }
}

impl Parting for Held {
    fn take_last(&mut self, bytes: &[u8]) -> bool {
        self.stream.take_last(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.taking.end(self.stream.get_ref().0.tcp());
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.look(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look(cx)?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() {
            self.taking.blocked();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever does not read would not read a goodbye either.
        self.look(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
