use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
        },
    },
};

use certs::{ConnectError, MutualClient};
use http::HeaderValue;
use tokio::{net::TcpStream, time::timeout};

use super::{
    counters::{UpstreamCounters, count},
    fitness::{Change, Fault, Fitness},
    latency::Latency,
    limits::Limits,
    socket::Socket,
    watch::{Clock, Watch, millis},
    wire::Wire,
};
use crate::worker::{PerWorker, locked};

/// What all apps have in common.
pub(super) struct Common {
    pub(super) limits: Limits,
    pub(super) host: HeaderValue,
    pub(super) tls: MutualClient,
    pub(super) clock: Arc<Clock>,
    pub(super) counters: Arc<UpstreamCounters>,
}

/// One app: its connections, and how it does.
pub(super) struct App {
    /// Host and port.
    address: String,
    pub(super) common: Arc<Common>,
    pub(super) fitness: Fitness,
    pub(super) latency: Latency,
    /// Connections that wait for a request: the last one to come is the first to go.
    #[expect(
        clippy::vec_box,
        reason = "each request moves one in and out, and they are large"
    )]
    waiting: PerWorker<Vec<Box<Wire>>>,
    watches: Mutex<Vec<Arc<Watch>>>,
    in_flight: AtomicUsize,
    connecting: AtomicUsize,
    /// It is no longer on the list.
    retired: AtomicBool,
}

/// Why there is no connection to an app. Nothing was sent to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectFailure {
    #[error("{0}")]
    Tcp(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] ConnectError),
    #[error("it takes too long")]
    Slow,
    #[error("too many are being made")]
    Full,
}

impl App {
    pub(super) fn new(address: String, common: Arc<Common>) -> Arc<Self> {
        let workers = common.limits.workers;
        Arc::new(Self {
            address,
            common,
            fitness: Fitness::default(),
            latency: Latency::default(),
            waiting: PerWorker::new(workers),
            watches: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            connecting: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether it takes one more request.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight() < self.common.limits.in_flight
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Acquire)
    }

    /// Takes it off the list: what is in flight ends in peace, what waits is closed.
    pub(super) fn retire(&self) {
        self.retired.store(true, Release);
        self.close_waiting();
    }

    /// A place for one request.
    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        self.in_flight.fetch_add(1, Relaxed);
        Lease(Arc::clone(self))
    }

    /// A request to it failed.
    pub(super) fn failed(&self, fault: Fault) {
        let change = self
            .fitness
            .failed(fault, self.common.clock.now(), &self.common.limits);
        self.changed(change);
    }

    /// It said whether it is ready.
    pub(super) fn probed(&self, ready: bool) {
        let change = self
            .fitness
            .probed(ready, self.common.clock.now(), &self.common.limits);
        self.changed(change);
    }

    /// It did not say so in time. If it says nothing else either to those who wait, it is taken
    /// out at once: of what is sent to it, nothing comes back.
    pub(super) fn not_heard_since(&self, began: u64) {
        if self.in_flight() > 0 && self.fitness.is_silent_since(began) {
            let now = self.common.clock.now();
            let change = self.fitness.silent(now, &self.common.limits);
            self.changed(change);
        }
        self.probed(false);
    }

    fn changed(&self, change: Option<Change>) {
        let upstream = self.address.as_str();
        match change {
            None => {}
            Some(Change::Ejected) => {
                count(&self.common.counters.ejections);
                tracing::warn!(upstream, "an app is taken out");
                // Whatever befell it, connections from before won't do.
                self.close_waiting();
            }
            Some(Change::Readmitted) => {
                self.latency.forget();
                count(&self.common.counters.readmissions);
                tracing::info!(upstream, "an app is taken in again");
            }
        }
    }

    /// The connection that has waited least, if it is still good.
    pub(super) fn take(&self) -> Option<Box<Wire>> {
        let now = self.common.clock.now();
        loop {
            let mut wire = self.waiting.own()?.pop()?;
            if self.is_good(&mut wire, now) {
                wire.reused = true;
                count(&self.common.counters.reused);
                return Some(wire);
            }
            wire.retire();
        }
    }

    fn is_good(&self, wire: &mut Wire, now: u64) -> bool {
        let limits = &self.common.limits;
        now < wire.since + millis(limits.idle)
            && now < wire.born + millis(limits.age)
            && wire.is_quiet()
    }

    fn put(&self, mut wire: Box<Wire>) {
        wire.since = self.common.clock.now();
        if let Some(mut waiting) = self.waiting.own().filter(|_| !self.is_retired())
            && waiting.len() < self.common.limits.waiting
        {
            return waiting.push(wire);
        }
        wire.retire();
    }

    /// Makes a connection, within the limit.
    pub(super) async fn connect(&self) -> Result<Box<Wire>, ConnectFailure> {
        let limits = &self.common.limits;
        let most = if self.fitness.is_ejected() {
            limits.connecting_ejected
        } else {
            limits.connecting
        };
        let _place = Place::take(&self.connecting, most).ok_or(ConnectFailure::Full)?;
        let connected = timeout(limits.connect, self.handshake())
            .await
            .unwrap_or(Err(ConnectFailure::Slow));
        match connected {
            Ok(wire) => {
                count(&self.common.counters.connects);
                Ok(wire)
            }
            Err(error) => {
                count(&self.common.counters.connect_failures);
                let upstream = self.address.as_str();
                if self.fitness.is_ejected() {
                    tracing::debug!(upstream, %error, "still");
                } else {
                    tracing::warn!(upstream, %error, "an app can't be connected to");
                }
                self.failed(Fault::Unreachable);
                Err(error)
            }
        }
    }

    async fn handshake(&self) -> Result<Box<Wire>, ConnectFailure> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let (tls, _peer) = self.common.tls.connect(Socket::new(tcp)).await?;
        let watch = Arc::<Watch>::default();
        locked(&self.watches).push(Arc::clone(&watch));
        Ok(Wire::new(tls, watch, self.common.clock.now()))
    }

    /// Lets the alarms of its connections go off that are due.
    pub(super) fn look(&self, now: u64) {
        locked(&self.watches).retain(|watch| {
            watch.look(now);
            Arc::strong_count(watch) > 1
        });
    }

    /// Closes the waiting connections that are too old, or that the app has closed.
    pub(super) fn prune(&self, now: u64) {
        for mut waiting in self.waiting.all() {
            for wire in waiting.extract_if(.., |wire| !self.is_good(wire, now)) {
                wire.retire();
            }
        }
    }

    fn close_waiting(&self) {
        for mut waiting in self.waiting.all() {
            for wire in waiting.drain(..) {
                wire.retire();
            }
        }
    }
}

/// A request that is with an app, until its answer has ended or nobody waits for it any more.
pub(super) struct Lease(Arc<App>);

impl Lease {
    pub(super) fn app(&self) -> &Arc<App> {
        &self.0
    }

    /// When an app that says nothing from now on is given up.
    pub(super) fn stalls_at(&self) -> u64 {
        self.0.common.clock.now() + millis(self.0.common.limits.stall)
    }

    /// Ends the request, whose connection is good for another one.
    pub(super) fn give_back(self, wire: Box<Wire>) {
        self.0.put(wire);
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.0.address).finish()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// One of a bounded number of things at a time.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicUsize, most: usize) -> Option<Self> {
        let place = Self(taken);
        // Dropped again if it is one too many.
        (taken.fetch_add(1, Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
