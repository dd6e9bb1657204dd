//! The stream below HTTP/2: it collects what is written, and observes what moves.

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

/// Bytes that are collected before the client must accept some.
const MAX_COLLECTED: usize = 64 * 1024;

/// A connection's stream with two handles: that of HTTP/2, which reads, and leaves what it writes;
/// and that of the connection, which sends everything that was left in one call. HTTP/2 alone would
/// write each frame by itself, and every write is a TLS record and a system call.
pub(super) struct WriteBuffer<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    out: BytesMut,
    frames: FrameMonitor,
    /// The client's reading, while the kernel accepts no more for it.
    reading: Option<ThroughputGuard>,
    /// Payload that was handed to HTTP/2 since everything was last sent.
    unsent: usize,
    /// Streams that wait until everything was sent.
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

    /// Ready while little enough waits for the client's socket.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, limits: &Limits) -> Poll<()> {
        let mut inner = self.inner();
        if inner.unsent < limits.http2.max_unsent_bytes {
            return Poll::Ready(());
        }
        inner.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Notes payload that is handed to HTTP/2.
    pub(super) fn on_payload(&self, bytes: usize) {
        let mut inner = self.inner();
        inner.unsent += bytes;
        inner.frames.on_sent(bytes);
    }

    /// Notes a stream that was refused because the client has its share.
    pub(super) fn on_refused_stream(&self) {
        self.inner().frames.on_refused_stream();
    }

    /// The error of the client's frames that ends the connection, if there is one.
    pub(super) fn error(&self) -> Option<Reason> {
        self.inner().frames.error()
    }

    /// The time by which the client must read more, if it keeps the server waiting.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let guard = self.inner().reading?;
        Some(guard.deadline(limits.read_timeout, limits.min_bytes_per_second))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        lock_ignoring_poison(&self.0)
    }
}

impl<S: AsyncWrite + Unpin> WriteBuffer<S> {
    /// Sends what was left to be sent.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_send(cx)
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
        // An idle connection keeps no buffer.
        self.out = BytesMut::new();
        if Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
            return self.wait_for_client();
        }
        self.reading = None;
        self.unsent = 0;
        self.waiting.drain(..).for_each(Waker::wake);
        Poll::Ready(Ok(()))
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
        if inner.out.len() >= MAX_COLLECTED {
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
        // The connection sends, once all its streams were polled.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.inner();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}
