//! The stream below HTTP/2, which coalesces writes and observes progress.

use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Buf;
use bytes::BytesMut;
use h2::Reason;
use listener::ThroughputGuard;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::frames::FrameMonitor;
use crate::limits::Limits;
use crate::per_worker::lock_ignoring_poison;
use crate::timer::Timer;

/// Maximum buffered bytes before a write waits for the client's socket.
const MAX_BUFFERED: usize = 64 * 1024;

/// A connection's stream with two handles: `h2` reads from the stream and writes into the buffer;
/// the connection sends the whole buffer in one call. `h2` alone would write each frame separately,
/// and each write is a TLS record and a system call.
pub(super) struct WriteBuffer<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    out: BytesMut,
    frames: FrameMonitor,
    /// The client's read rate, measured while the kernel's send buffer is full.
    reading: Option<ThroughputGuard>,
    /// Payload bytes passed to `h2` since the buffer was last empty.
    unsent: usize,
    /// Streams that wait until the buffer is empty.
    waiting: Vec<Waker>,
}

impl<S> WriteBuffer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stream,
            out: BytesMut::new(),
            frames: FrameMonitor::new(),
            reading: None,
            unsent: 0,
            waiting: Vec::new(),
        })))
    }

    /// A second handle of the same stream.
    pub(super) fn handle(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Ready while the unsent bytes are below [`Http2Limits::max_unsent_bytes`].
    ///
    /// [`Http2Limits::max_unsent_bytes`]: crate::limits::Http2Limits::max_unsent_bytes
    pub(super) fn poll_ready(&self, cx: &Context<'_>, limits: &Limits) -> Poll<()> {
        let mut inner = self.inner();
        if inner.unsent < limits.http2.max_unsent_bytes {
            return Poll::Ready(());
        }
        if !inner
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            inner.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Records payload that is passed to `h2`.
    pub(super) fn on_payload(&self, bytes: usize) {
        let mut inner = self.inner();
        inner.unsent += bytes;
        inner.frames.on_sent(bytes);
    }

    /// Charges a stream that was refused because the client's share is exhausted.
    pub(super) fn on_refused_stream(&self) {
        self.inner().frames.on_refused_stream();
    }

    /// The connection error that the client's frames have caused, if any.
    pub(super) fn error(&self) -> Option<Reason> {
        self.inner().frames.error()
    }

    /// The deadline by which the client must read more, while the send buffer is full.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let guard = self.inner().reading?;
        Some(guard.deadline(limits.read_timeout, limits.min_bytes_per_second))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        lock_ignoring_poison(&self.0)
    }
}

impl<S: AsyncWrite + Unpin> WriteBuffer<S> {
    /// Sends the buffered bytes.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_send(cx)
    }

    /// Sends the last bytes, such as GOAWAY, and waits until the client has read what was sent, or
    /// reads too slowly.
    pub(super) async fn close(&self, limits: &Limits) {
        let latest = Instant::now() + limits.response_timeout;
        let mut timer = Timer::new(latest);
        poll_fn(|cx| {
            if self.inner().poll_shutdown(cx).is_ready() {
                return Poll::Ready(());
            }
            let reading = self.deadline(limits);
            timer.poll(cx, reading.map_or(latest, |reading| reading.min(latest)))
        })
        .await;
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, &self.out) else {
                return self.wait_for_client();
            };
            let sent = sent?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(guard) = &mut self.reading {
                guard.on_progress(Instant::now(), sent);
            }
            self.out.advance(sent);
        }
        // An idle connection holds no buffer.
        self.out = BytesMut::new();
        if Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
            return self.wait_for_client();
        }
        self.reading = None;
        self.unsent = 0;
        self.waiting.drain(..).for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn wait_for_client(&mut self) -> Poll<io::Result<()>> {
        self.reading
            .get_or_insert_with(|| ThroughputGuard::start(Instant::now()));
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteBuffer<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.inner();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut inner.stream).poll_read(cx, buffer);
        inner
            .frames
            .on_received(buffer.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteBuffer<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.inner();
        if inner.out.len() >= MAX_BUFFERED {
            ready!(inner.poll_send(cx))?;
        }
        for slice in slices {
            inner.out.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection flushes, after it has polled all its streams.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
