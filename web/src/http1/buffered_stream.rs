//! A connection's stream with its read buffer.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Size of the read buffer, in bytes.
pub(super) const READ_BYTES: usize = 8 * 1024;
/// Minimum free space for a read, in bytes; with less, the buffer grows.
const MIN_READ_BYTES: usize = 2 * 1024;

/// A connection's stream with its read buffer.
pub(super) struct BufferedStream<S> {
    pub(super) io: S,
    pub(super) inbox: BytesMut,
    pub(super) max_header_bytes: usize,
}

impl<S: AsyncRead + Unpin> BufferedStream<S> {
    /// Reads into the buffer; 0 bytes mean the end of the stream.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // The rest of the last buffer is large enough for most heads.
        if self.inbox.capacity() - self.inbox.len() < MIN_READ_BYTES {
            self.inbox.reserve(READ_BYTES);
        }
        poll_read_buf(Pin::new(&mut self.io), cx, &mut self.inbox)
    }
}

impl<S> BufferedStream<S> {
    /// Whether the buffer has room for the rest of a head.
    pub(super) fn has_room(&self) -> bool {
        self.inbox.len() < self.max_header_bytes
    }
}
