//! One endpoint of the app tier: its pool of connections and its health.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

use certs::MutualClient;
use certs::MutualError;
use http::HeaderValue;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::PooledConnection;
use super::counters::UpstreamCounters;
use super::counters::count;
use super::deadline::CoarseClock;
use super::deadline::Deadline;
use super::deadline::millis;
use super::outlier::Change;
use super::outlier::Fault;
use super::outlier::OutlierDetector;
use super::socket::Socket;
use crate::limits::UpstreamLimits;
use crate::per_worker::PerWorker;
use crate::per_worker::lock_ignoring_poison;

/// The shared state of all endpoints.
pub(super) struct PoolContext {
    pub(super) limits: UpstreamLimits,
    pub(super) host: HeaderValue,
    pub(super) tls: MutualClient,
    pub(super) clock: Arc<CoarseClock>,
    pub(super) counters: Arc<UpstreamCounters>,
}

/// An endpoint: an instance of the app.
pub(super) struct Endpoint {
    /// Host and port.
    address: String,
    pub(super) context: Arc<PoolContext>,
    pub(super) outliers: OutlierDetector,
    /// Idle connections. The last one checked in is the first one checked out, so that the others
    /// expire.
    #[expect(
        clippy::vec_box,
        reason = "each request moves a connection in and out, and they are large"
    )]
    idle: PerWorker<Vec<Box<PooledConnection>>>,
    deadlines: Mutex<Vec<Arc<Deadline>>>,
    in_flight: AtomicUsize,
    /// Permits to open a connection. Requests queue for a permit: a burst of one client delays
    /// other clients by a few handshakes, but refuses none.
    connecting: Semaphore,
    /// Permits while the endpoint is ejected. Requests do not wait for these.
    connecting_ejected: Semaphore,
    /// Whether the endpoint is no longer on the list.
    removed: AtomicBool,
}

/// A failure to connect to an endpoint. No byte of a request was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{0}")]
    Tcp(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] MutualError),
    #[error("the connection takes too long")]
    Slow,
    #[error("too many connections to the endpoint are being opened")]
    Full,
}

impl Endpoint {
    pub(super) fn new(address: String, context: Arc<PoolContext>) -> Arc<Self> {
        let workers = context.limits.workers;
        let connecting = Semaphore::new(context.limits.max_connecting);
        let connecting_ejected = Semaphore::new(context.limits.max_connecting_ejected);
        Arc::new(Self {
            address,
            context,
            outliers: OutlierDetector::default(),
            idle: PerWorker::new(workers),
            deadlines: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            connecting,
            connecting_ejected,
            removed: AtomicBool::new(false),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether one more request may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight() < self.context.limits.max_in_flight
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Acquire)
    }

    /// Marks the endpoint as removed: requests in flight are completed, idle connections are
    /// closed.
    pub(super) fn remove(&self) {
        self.removed.store(true, Release);
        self.close_idle();
    }

    /// Counts one request as in flight while the guard exists.
    pub(super) fn in_flight_guard(self: &Arc<Self>) -> InFlightGuard {
        self.in_flight.fetch_add(1, Relaxed);
        InFlightGuard(Arc::clone(self))
    }

    /// Records a failed request.
    pub(super) fn on_failure(&self, fault: Fault) {
        let (now, limits) = (self.context.clock.now(), &self.context.limits);
        self.apply(self.outliers.on_failure(fault, now, limits));
    }

    /// Records the outcome of a probe.
    pub(super) fn on_probe(&self, ready: bool) {
        let (now, limits) = (self.context.clock.now(), &self.context.limits);
        self.apply(self.outliers.on_probe(ready, now, limits));
    }

    /// Records the timeout of a probe that began at this time. Ejects the endpoint at once if no
    /// request in flight has got a response since then.
    pub(super) fn on_probe_timeout(&self, began: u64) {
        if self.in_flight() > 0 && self.outliers.is_silent_since(began) {
            let (now, limits) = (self.context.clock.now(), &self.context.limits);
            self.apply(self.outliers.on_silence(now, limits));
            // Wakes the requests that wait for the endpoint, so that they may be retried elsewhere.
            self.expire_deadlines(u64::MAX);
        }
        self.on_probe(false);
    }

    fn apply(&self, change: Option<Change>) {
        let upstream = self.address.as_str();
        match change {
            None => {}
            Some(Change::Ejected) => {
                count(&self.context.counters.ejections);
                tracing::warn!(upstream, "an endpoint is ejected");
                // Idle connections may share the failure.
                self.close_idle();
            }
            Some(Change::Readmitted) => {
                count(&self.context.counters.readmissions);
                tracing::info!(upstream, "an endpoint is readmitted");
            }
        }
    }

    /// Checks out the most recently used idle connection.
    pub(super) fn checkout(&self) -> Option<Box<PooledConnection>> {
        let now = self.context.clock.now();
        loop {
            let mut connection = self.idle.current()?.pop()?;
            if self.is_usable(&mut connection, now) {
                connection.reused = true;
                count(&self.context.counters.reused);
                return Some(connection);
            }
            connection.close();
        }
    }

    fn is_usable(&self, connection: &mut PooledConnection, now: u64) -> bool {
        now < connection.idle_since + millis(self.context.limits.idle_timeout)
            && now < connection.expires
            && connection.is_quiet()
    }

    fn checkin(&self, mut connection: Box<PooledConnection>) {
        connection.idle_since = self.context.clock.now();
        if let Some(mut idle) = self.idle.current().filter(|_| !self.is_removed())
            && idle.len() < self.context.limits.max_idle
        {
            return idle.push(connection);
        }
        connection.close();
    }

    /// Opens a connection for a request, within the limits. The request queues until `deadline`, by
    /// the coarse clock.
    ///
    /// # Errors
    /// [`ConnectError`]. All but [`ConnectError::Full`] are logged, and count against the endpoint.
    pub(super) async fn connect(
        &self,
        deadline: u64,
    ) -> Result<Box<PooledConnection>, ConnectError> {
        // Outside the timeout of the connection: a queue of this side is no fault of the endpoint.
        let left = Duration::from_millis(deadline.saturating_sub(self.context.clock.now()));
        let permit = timeout(left, self.connecting.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(ConnectError::Full);
        };
        // After the queue: an endpoint that was ejected meanwhile gets a few requests, not all.
        let _ejected_permit;
        if self.outliers.is_ejected() {
            let permit = self.connecting_ejected.try_acquire();
            _ejected_permit = permit.map_err(|_all_in_use| ConnectError::Full)?;
        }
        self.connect_now().await
    }

    /// Opens a connection without a permit, for a probe: a probe behind a queue of requests would
    /// fail.
    ///
    /// # Errors
    /// [`ConnectError`], which is logged and counts against the endpoint.
    pub(super) async fn connect_now(&self) -> Result<Box<PooledConnection>, ConnectError> {
        let connected = timeout(self.context.limits.connect_timeout, self.handshake())
            .await
            .unwrap_or(Err(ConnectError::Slow));
        match connected {
            Ok(connection) => {
                count(&self.context.counters.connects);
                Ok(connection)
            }
            Err(error) => {
                count(&self.context.counters.connect_failures);
                let upstream = self.address.as_str();
                if self.outliers.is_ejected() {
                    tracing::debug!(upstream, %error, "cannot connect to an ejected endpoint");
                } else {
                    tracing::warn!(upstream, %error, "cannot connect to an endpoint");
                }
                self.on_failure(Fault::Unreachable);
                Err(error)
            }
        }
    }

    async fn handshake(&self) -> Result<Box<PooledConnection>, ConnectError> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let connected = self.context.tls.connect(Socket::new(tcp)).await?;
        let deadline = Arc::<Deadline>::default();
        lock_ignoring_poison(&self.deadlines).push(Arc::clone(&deadline));
        // A connection does not outlive its certificates.
        let lifetime = self
            .context
            .limits
            .max_connection_age
            .min(connected.remaining);
        let now = self.context.clock.now();
        let expires = now + millis(lifetime);
        Ok(PooledConnection::new(
            connected.stream,
            deadline,
            now,
            expires,
        ))
    }

    /// Fires the deadlines of connections that have passed.
    pub(super) fn expire_deadlines(&self, now: u64) {
        lock_ignoring_poison(&self.deadlines).retain(|deadline| {
            deadline.expire(now);
            Arc::strong_count(deadline) > 1
        });
    }

    /// Closes idle connections that are too old, or that the endpoint has closed.
    pub(super) fn evict_idle(&self, now: u64) {
        for mut idle in self.idle.all() {
            for connection in idle.extract_if(.., |idle| !self.is_usable(idle, now)) {
                connection.close();
            }
        }
    }

    fn close_idle(&self) {
        for mut idle in self.idle.all() {
            for connection in idle.drain(..) {
                connection.close();
            }
        }
    }
}

/// A request in flight at an endpoint, until its response was read or abandoned.
pub(super) struct InFlightGuard(Arc<Endpoint>);

impl InFlightGuard {
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }

    /// The deadline of a response that is waited for from now on, by the coarse clock.
    pub(super) fn response_deadline(&self) -> u64 {
        self.0.context.clock.now() + millis(self.0.context.limits.response_timeout)
    }

    /// The deadline of the next byte of a response, by the coarse clock.
    pub(super) fn stall_deadline(&self) -> u64 {
        self.0.context.clock.now() + millis(self.0.context.limits.stall_timeout)
    }

    /// Ends the request, and checks in its connection.
    pub(super) fn release(self, connection: Box<PooledConnection>) {
        self.0.checkin(connection);
    }
}

impl std::fmt::Debug for InFlightGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("InFlightGuard")
            .field(&self.0.address)
            .finish()
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
