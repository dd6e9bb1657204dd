//! The limits towards the app tier.

use std::time::Duration;

/// What is given to the app tier, and what it may take.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamLimits {
    /// From a request to the head of its response, all attempts together. Less than a connection to
    /// a client may stand still. The app receives what is left of it.
    pub(crate) response_timeout: Duration,
    /// From the first packet to the end of the handshake: two round trips and 3 ms of work.
    pub(crate) connect_timeout: Duration,
    /// How long an app may be silent within a response body that is waited for.
    pub(crate) stall_timeout: Duration,
    /// How long a connection stays idle in the pool: less than the app would wait.
    pub(crate) idle_timeout: Duration,
    /// How long a connection is used at all: changed trust anchors apply by then.
    pub(crate) max_connection_age: Duration,
    /// Threads with a pool of their own.
    pub(crate) workers: usize,
    /// Idle connections to one endpoint, for each worker. One takes about 10 KB here, and as much
    /// at the app.
    pub(crate) max_idle: usize,
    /// Requests in flight to one endpoint: as many as fit into the memory for responses, and more.
    pub(crate) max_in_flight: usize,
    /// Connections to one endpoint that are being opened at a time.
    pub(crate) max_connecting: usize,
    /// The same for an ejected endpoint, which is tried because all are ejected.
    pub(crate) max_connecting_ejected: usize,
    /// Between two readiness probes of an endpoint; a tenth of it is jitter.
    pub(crate) probe_interval: Duration,
    /// How long the response to a probe may take.
    pub(crate) probe_timeout: Duration,
    /// An endpoint is ejected after as many failed probes in a row.
    pub(crate) probe_failures: u32,
    /// An endpoint is ejected after as many lost or late requests in a row. One that refuses
    /// connections is ejected at once.
    pub(crate) request_failures: u32,
    /// The shortest time of an ejection: the first time; doubled each time soon after.
    pub(crate) min_ejection: Duration,
    /// The longest: with the next probe, an endpoint is back within 10 s of being healthy.
    pub(crate) max_ejection: Duration,
    /// How often the file of endpoints is checked. A change is used at the second check that finds
    /// it, so that no half of it is.
    pub(crate) file_interval: Duration,
    /// How often a DNS name is resolved again.
    pub(crate) resolve_interval: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            response_timeout: Duration::from_secs(100),
            connect_timeout: Duration::from_millis(1500),
            stall_timeout: Duration::from_secs(100),
            idle_timeout: Duration::from_secs(30),
            max_connection_age: Duration::from_mins(5),
            workers: 0,
            max_idle: 128,
            max_in_flight: 2048,
            max_connecting: 256,
            max_connecting_ejected: 64,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_secs(1),
            probe_failures: 2,
            request_failures: 3,
            min_ejection: Duration::from_millis(500),
            max_ejection: Duration::from_secs(4),
            file_interval: Duration::from_millis(500),
            resolve_interval: Duration::from_secs(5),
        }
    }
}
