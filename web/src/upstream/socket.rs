//! The TCP stream below TLS.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Buf;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// Size of a read while there is more to receive, in bytes.
const READ_BYTES: usize = 32 * 1024;

/// The TCP stream below TLS, which counts sent bytes and receives long responses in few system
/// calls: rustls alone would read 4 KiB at a time.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: TcpStream,
    sent: u64,
    /// Whether the last read filled its buffer, so that there is probably more.
    more: bool,
    /// Received bytes that TLS has not read yet. An empty buffer holds no memory.
    ahead: BytesMut,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            sent: 0,
            more: false,
            ahead: BytesMut::new(),
        }
    }

    /// The number of bytes that the kernel accepted.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.sent += u64::try_from(*count).unwrap_or(u64::MAX);
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead.is_empty() {
            if !this.more {
                ready!(Pin::new(&mut this.tcp).poll_read(cx, buf))?;
                this.more = buf.remaining() == 0;
                return Poll::Ready(Ok(()));
            }
            this.ahead.reserve(READ_BYTES);
            let Poll::Ready(count) = poll_read_buf(Pin::new(&mut this.tcp), cx, &mut this.ahead)
            else {
                this.more = false;
                this.ahead = BytesMut::new();
                return Poll::Pending;
            };
            this.more = count? >= READ_BYTES;
        }
        let count = buf.remaining().min(this.ahead.len());
        buf.put_slice(this.ahead.get(..count).unwrap_or_default());
        this.ahead.advance(count);
        if this.ahead.is_empty() && !this.more {
            this.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
