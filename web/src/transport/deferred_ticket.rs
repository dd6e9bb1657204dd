//! The stream below TLS, which defers session tickets.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

use super::client_socket::ClientSocket;

/// The TLS record type of application data, and of encrypted handshake messages (RFC 8446, 5.1).
const APPLICATION_DATA: u8 = 23;

/// A client's socket that delays the session ticket, the server's last handshake message, until the
/// first response: separately sent, it would cost every connection one more packet and system call.
pub(crate) struct DeferredTicketStream {
    socket: ClientSocket,
    handshaking: bool,
    /// Whether the last write was complete, so that the next one begins with a TLS record.
    at_record: bool,
    held: Vec<u8>,
}

impl DeferredTicketStream {
    pub(super) fn new(socket: ClientSocket) -> Self {
        Self {
            socket,
            handshaking: true,
            at_record: true,
            held: Vec::new(),
        }
    }

    /// Ends the handshake: the ticket is sent with the next write.
    pub(super) fn on_established(&mut self) {
        self.handshaking = false;
    }

    /// Whether a write is the ticket: other handshake writes begin with a plaintext record.
    fn is_ticket(&self, slices: &[IoSlice<'_>]) -> bool {
        let first = slices.iter().find_map(|slice| slice.first());
        self.handshaking && self.at_record && first == Some(&APPLICATION_DATA)
    }

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DeferredTicketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for DeferredTicketStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if this.is_ticket(slices) {
            for slice in slices {
                this.held.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(length));
        }
        if this.held.is_empty() {
            let written = ready!(Pin::new(&mut this.socket).poll_write_vectored(cx, slices))?;
            this.at_record = written == length;
            return Poll::Ready(Ok(written));
        }
        let held = std::mem::take(&mut this.held);
        let both: Vec<IoSlice<'_>> = std::iter::once(IoSlice::new(&held))
            .chain(slices.iter().map(|slice| IoSlice::new(slice)))
            .collect();
        let polled = Pin::new(&mut this.socket).poll_write_vectored(cx, &both);
        let written = match polled {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => 0,
        };
        if let Some(left) = held.get(written..).filter(|left| !left.is_empty()) {
            this.held = left.to_vec();
            // Writes again, so that the kernel wakes the task once it has room.
            ready!(this.poll_held(cx))?;
            return Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        }
        Poll::Ready(Ok(written - held.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.handshaking {
            ready!(self.poll_held(cx))?;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
