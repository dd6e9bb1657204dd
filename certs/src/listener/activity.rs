use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Duration, Instant};

use super::{Limits, Pace, Protocol, frames::Frames};

/// What happens on a connection, and when it last did. Times are milliseconds since it began.
pub(super) struct Activity {
    began: Instant,
    in_flight: AtomicUsize,
    /// The last byte, in either direction.
    byte: AtomicU64,
    /// The last request's end.
    end: AtomicU64,
    /// The first byte of a request's head that is not yet whole; 0 for none.
    head: AtomicU64,
    /// Whether there was a request.
    used: AtomicBool,
    /// How the client takes what we have for it, while it makes us wait.
    taking: Mutex<Option<Pace>>,
    /// The frames of an HTTP/2 client.
    frames: Option<Mutex<Frames>>,
    flooded: AtomicBool,
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
            in_flight: AtomicUsize::new(0),
            byte: AtomicU64::new(0),
            end: AtomicU64::new(0),
            head: AtomicU64::new(0),
            used: AtomicBool::new(false),
            taking: Mutex::new(None),
            frames: (protocol == Protocol::Http2).then(|| Mutex::new(Frames::new())),
            flooded: AtomicBool::new(false),
        })
    }

    /// The next moment at which the connection will have run out of something.
    pub(super) fn expires(&self, limits: &Limits) -> (Instant, Expiry) {
        let at = |since: &AtomicU64, limit: Duration| {
            self.began + Duration::from_millis(since.load(Relaxed)) + limit
        };
        if self.flooded.load(Relaxed) {
            return (self.began, Expiry::Stuck);
        }
        let taken = locked(&self.taking).map(|pace| pace.deadline(limits.patience, limits.rate));
        if self.in_flight.load(Relaxed) > 0 {
            let stalled = at(&self.byte, limits.stall);
            let due = taken.map_or(stalled, |taken| taken.min(stalled));
            return (due, Expiry::Stuck);
        }
        if let Some(taken) = taken {
            return (taken, Expiry::Stuck);
        }
        let used = self.used.load(Relaxed);
        let idle = at(&self.end, if used { limits.idle } else { limits.first });
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
        self.used.store(true, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The client sent something.
    pub(super) fn received(&self, bytes: &[u8]) {
        let now = self.now();
        self.byte.store(now, Relaxed);
        if let Some(frames) = &self.frames {
            if !locked(frames).received(bytes) {
                self.flooded.store(true, Relaxed);
            }
            return;
        }
        let waiting = self.in_flight.load(Relaxed) == 0 && self.head.load(Relaxed) == 0;
        if waiting {
            self.head.store(now, Relaxed);
        }
    }

    /// So much went out.
    pub(super) fn sent(&self, bytes: usize) {
        self.byte.store(self.now(), Relaxed);
        if let Some(pace) = &mut *locked(&self.taking) {
            pace.moved(Instant::now(), bytes);
        }
        if let Some(frames) = &self.frames {
            locked(frames).moved(bytes);
        }
    }

    /// There is something to send, and the client does not take it.
    pub(super) fn waits_for_client(&self) {
        locked(&self.taking).get_or_insert_with(|| Pace::begin(Instant::now()));
    }

    /// The client has everything.
    pub(super) fn waits_no_more(&self) {
        *locked(&self.taking) = None;
    }

    fn now(&self) -> u64 {
        // At least 1: 0 says "never".
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// The lock, whoever held it last: what it guards is whole at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
