//! The TLS stream of a client.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio_rustls::server::TlsStream;

use super::deferred_ticket::DeferredTicketStream;
use super::write_stall::WriteStallGuard;
use crate::admission::SharePermit;
use crate::http1::CoalescedClose;
use crate::limits::Limits;

/// A client's TLS stream, with the client's connection permit. Reads and writes fail with
/// `TimedOut` once the client has stopped reading.
pub(crate) struct ClientStream {
    stream: TlsStream<DeferredTicketStream>,
    stall: WriteStallGuard,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: SharePermit,
}

impl ClientStream {
    pub(super) fn new(
        stream: TlsStream<DeferredTicketStream>,
        permit: SharePermit,
        limits: &Limits,
    ) -> Self {
        Self {
            stream,
            stall: WriteStallGuard::new(limits),
            permit,
        }
    }

    /// Checks that the client reads the bytes written before.
    fn check_stall(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stall.is_stalled(self.stream.get_ref().0.tcp(), cx) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn on_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.stall.on_write(*bytes, cx),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.stall.on_blocked(),
        }
        written
    }
}

impl CoalescedClose for ClientStream {
    fn write_final(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_final(bytes)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.stall.abort_if_stalled(self.stream.get_ref().0.tcp());
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_stall(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_stall(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.on_written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_stall(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.on_written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_stall(cx)?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() {
            self.stall.on_blocked();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A client that does not read would not read `close_notify` either.
        self.check_stall(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
