use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// More than this is not gathered before the client takes some of it.
const GATHERED: usize = 64 * 1024;

/// A connection's stream, in two hands: HTTP's, which reads and leaves what it has to say, and the
/// driver's, which sends all that was left in one go. HTTP/2 would write each frame by itself, and
/// every write is a TLS record and a call into the kernel.
pub(super) struct Wire<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    out: BytesMut,
    activity: Arc<Activity>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stream,
            out: BytesMut::new(),
            activity,
        })))
    }

    /// The other hand.
    pub(super) fn other(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Sends what was left to be sent.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_drain(cx)
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, &self.out) else {
                self.activity.waits_for_client();
                return Poll::Pending;
            };
            let sent = sent?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.activity.sent(sent);
            self.out.advance(sent);
        }
        // An idle connection keeps no buffer.
        self.out = BytesMut::new();
        if Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
            self.activity.waits_for_client();
            return Poll::Pending;
        }
        self.activity.waits_no_more();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.inner();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut inner.stream).poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled().get(before..).filter(|new| !new.is_empty()) {
            inner.activity.received(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
        if inner.out.len() >= GATHERED {
            ready!(inner.poll_drain(cx))?;
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
        // That is the driver's.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.inner();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}
