//! The activity of a connection, and the deadlines that follow from it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;

use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Duration;
use tokio::time::Instant;

use super::Limits;
use super::ThroughputGuard;

/// The activity of a connection. Times are in milliseconds since the connection began.
pub(super) struct Activity {
    began: Instant,
    in_flight: AtomicUsize,
    /// Time of the last byte, in either direction.
    last_byte: AtomicU64,
    /// End of the last request.
    last_end: AtomicU64,
    /// Time of the first byte of an incomplete head; 0 for none.
    head_began: AtomicU64,
    /// Whether the connection has had a request.
    used: AtomicBool,
    /// The client's read rate, measured while the send buffer is full.
    reading: Mutex<Option<ThroughputGuard>>,
}

/// The limit that a connection has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// No further request in time.
    Idle,
    /// A head or a response makes no progress.
    Stalled,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last_byte: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            head_began: AtomicU64::new(0),
            used: AtomicBool::new(false),
            reading: Mutex::new(None),
        })
    }

    /// The next deadline of the connection, and the limit that it exceeds by then.
    pub(super) fn deadline(&self, limits: &Limits) -> (Instant, Expiry) {
        let after = |since: &AtomicU64, limit: Duration| {
            self.began + Duration::from_millis(since.load(Relaxed)) + limit
        };
        let reading = lock(&self.reading)
            .map(|guard| guard.deadline(limits.read_timeout, limits.min_bytes_per_second));
        if self.in_flight.load(Relaxed) > 0 {
            let stalled = after(&self.last_byte, limits.stall_timeout);
            let due = reading.map_or(stalled, |reading| reading.min(stalled));
            return (due, Expiry::Stalled);
        }
        if let Some(reading) = reading {
            return (reading, Expiry::Stalled);
        }
        let idle = if self.used.load(Relaxed) {
            after(&self.last_end, limits.keep_alive_timeout)
        } else {
            after(&self.last_end, limits.first_request_timeout)
        };
        if self.head_began.load(Relaxed) > 0 {
            let head = after(&self.head_began, limits.header_timeout);
            if head < idle {
                return (head, Expiry::Stalled);
            }
        }
        (idle, Expiry::Idle)
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_began.store(0, Relaxed);
        self.used.store(true, Relaxed);
        InFlight(Arc::clone(self))
    }

    fn on_read(&self) {
        let now = self.now();
        self.last_byte.store(now, Relaxed);
        if self.in_flight.load(Relaxed) == 0 && self.head_began.load(Relaxed) == 0 {
            self.head_began.store(now, Relaxed);
        }
    }

    /// Records the outcome of a write: `None` if the kernel's send buffer is full.
    fn on_write(&self, written: Option<usize>) {
        let mut reading = lock(&self.reading);
        match written {
            None => {
                reading.get_or_insert_with(|| ThroughputGuard::start(Instant::now()));
            }
            Some(bytes) => {
                self.last_byte.store(self.now(), Relaxed);
                if let Some(guard) = &mut *reading {
                    guard.on_progress(Instant::now(), bytes);
                }
            }
        }
    }

    /// The kernel has accepted all bytes written so far.
    fn on_flushed(&self) {
        *lock(&self.reading) = None;
    }

    fn now(&self) -> u64 {
        // At least 1: 0 means "never".
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// Ignores poisoning: the value is valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guard for a request in flight: dropped after the last byte of its response.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.last_end.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A response body that keeps its request in flight.
pub(super) struct TrackedBody<B> {
    pub(super) body: B,
    #[expect(dead_code, reason = "held for its Drop")]
    pub(super) in_flight: InFlight,
}

impl<B: Body + Unpin> Body for TrackedBody<B> {
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

/// A stream that reports its reads and writes to an [`Activity`].
pub(super) struct ObservedStream<S> {
    pub(super) stream: S,
    pub(super) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.on_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> ObservedStream<S> {
    fn observe(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.activity.on_write(Some(*bytes)),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.on_write(None),
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ObservedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.observe(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.observe(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() {
            self.activity.on_write(None);
        } else {
            self.activity.on_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
