//! The TCP socket of a client.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use socket2::SockRef;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::Interest;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::write_stall::WriteStallGuard;
use super::write_stall::is_sent;
use crate::admission::SharePermit;
use crate::limits::Limits;

/// A client's TCP socket, with the client's connection permit. All operations fail with `TimedOut`
/// once the client has stopped reading.
///
/// The kernel would continue to send after a close: for as long as the client reads a byte now and
/// then, and beyond every limit of this process. So a shutdown waits until the kernel has sent
/// everything, and a close before that is a reset. `TCP_USER_TIMEOUT` bounds the time of data that
/// is sent and not acknowledged.
pub(crate) struct ClientSocket {
    tcp: TcpStream,
    stall: WriteStallGuard,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: SharePermit,
}

impl ClientSocket {
    pub(super) fn new(tcp: TcpStream, permit: SharePermit, limits: &Limits) -> Self {
        // An error means that the client has disconnected, which the next read or write reports.
        let _ = SockRef::from(&tcp).set_tcp_user_timeout(Some(limits.tcp_user_timeout));
        Self {
            tcp,
            stall: WriteStallGuard::new(limits),
            permit,
        }
    }

    /// Checks that the client reads the bytes written before.
    fn check_stall(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stall.is_stalled(&self.tcp, cx) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn on_written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.stall.on_write(*bytes);
        }
        written
    }

    /// Ready once the kernel has nothing left to send.
    fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                if is_sent(&self.tcp) {
                    return Ok(());
                }
                // Clears the readiness: the kernel reports it again once it has sent everything.
                Err(io::ErrorKind::WouldBlock.into())
            });
            if sent.is_ok() {
                return Poll::Ready(sent);
            }
        }
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        if self.stall.is_armed() && !is_sent(&self.tcp) {
            // Makes the close a reset. An error means that the socket has ended already.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_stall(cx)?;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_stall(cx)?;
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.on_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_stall(cx)?;
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.on_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_stall(cx)?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    /// Ready once the kernel has nothing left to send: dropping the socket then sends FIN. A FIN
    /// sent here would hide what is left, because a socket that is shut down is always writable.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_stall(cx)?;
        if self.stall.is_armed() {
            ready!(self.poll_sent(cx))?;
            self.stall.disarm();
        }
        Poll::Ready(Ok(()))
    }
}
