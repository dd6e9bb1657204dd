use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant},
};

use super::{Limits, Protocol};

/// What happens on a connection, and when it last did. Times are milliseconds since it began.
pub(super) struct Activity {
    began: Instant,
    protocol: Protocol,
    in_flight: AtomicUsize,
    /// The last byte, in either direction.
    byte: AtomicU64,
    /// The last request's end.
    end: AtomicU64,
    /// The first byte of a request's head that is not yet whole; 0 for none.
    head: AtomicU64,
}

/// What a connection has run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// There was no further request: the client may be told politely.
    Idle,
    /// A head was begun and not finished, or a request stands still.
    Stuck,
}

impl Activity {
    pub(super) fn new(protocol: Protocol) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            protocol,
            in_flight: AtomicUsize::new(0),
            byte: AtomicU64::new(0),
            end: AtomicU64::new(0),
            head: AtomicU64::new(0),
        })
    }

    /// The next moment at which the connection will have run out of something.
    pub(super) fn expires(&self, limits: &Limits) -> (Instant, Expiry) {
        let at = |since: &AtomicU64, limit: Duration| {
            self.began + Duration::from_millis(since.load(Relaxed)) + limit
        };
        if self.in_flight.load(Relaxed) > 0 {
            return (at(&self.byte, limits.stall), Expiry::Stuck);
        }
        let idle = at(&self.end, limits.idle);
        if self.head.load(Relaxed) > 0 {
            let head = at(&self.head, limits.header);
            if head < idle {
                return (head, Expiry::Stuck);
            }
        }
        (idle, Expiry::Idle)
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head.store(0, Relaxed);
        InFlight(Arc::clone(self))
    }

    fn received(&self) {
        let now = self.now();
        self.byte.store(now, Relaxed);
        let waiting = self.in_flight.load(Relaxed) == 0 && self.head.load(Relaxed) == 0;
        if waiting && self.protocol == Protocol::Http1 {
            self.head.store(now, Relaxed);
        }
    }

    fn sent(&self) {
        self.byte.store(self.now(), Relaxed);
    }

    fn now(&self) -> u64 {
        // At least 1: 0 says "never".
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// A request that is being answered, until the last byte of its answer.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A response's body that keeps its request in flight.
pub(super) struct Tracked<B> {
    pub(super) body: B,
    #[expect(dead_code, reason = "held for what its drop does")]
    pub(super) in_flight: InFlight,
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells its [`Activity`] of every byte.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if polled.is_ready() {
            self.activity.sent();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if polled.is_ready() {
            self.activity.sent();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
