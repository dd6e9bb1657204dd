//! The limits towards the app tier.

use std::time::Duration;

use super::REQUEST_BODY_TIMEOUT;

/// The limits and timeouts towards the app tier.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamLimits {
    /// From a request to the head of its response, over all attempts; begins again when the client
    /// has sent more of a body. The endpoint receives the remaining time.
    pub(crate) response_timeout: Duration,
    /// Time of a body that the client still sends; the endpoint receives it with the remaining time.
    pub(crate) upload_timeout: Duration,
    /// From the resolution of the host name to the end of the TLS handshake: two round trips and
    /// 3 ms of work after DNS.
    pub(crate) connect_timeout: Duration,
    /// Maximum silence of an endpoint within a response body.
    pub(crate) stall_timeout: Duration,
    /// Maximum idle time of a pooled connection; shorter than the app's keep-alive timeout.
    pub(crate) idle_timeout: Duration,
    /// Maximum age of a connection; changed trust anchors apply by then.
    pub(crate) max_connection_age: Duration,
    /// Worker threads, each with its own pool.
    pub(crate) workers: usize,
    /// Maximum idle connections per endpoint and worker. Each takes about 10 KB on both sides.
    pub(crate) max_idle: usize,
    /// Maximum requests in flight per endpoint; more than fit into the memory for responses.
    pub(crate) max_in_flight: usize,
    /// Maximum connections per endpoint that are being opened at a time, besides that of a probe.
    pub(crate) max_connecting: usize,
    /// The same for an ejected endpoint, which is tried because all are ejected.
    pub(crate) max_connecting_ejected: usize,
    /// Interval of readiness probes of an endpoint; a tenth of it is jitter.
    pub(crate) probe_interval: Duration,
    /// Maximum time to the response of a probe.
    pub(crate) probe_timeout: Duration,
    /// Failed probes in a row that eject an endpoint.
    pub(crate) probe_failures: u32,
    /// Lost or late requests in a row that eject an endpoint. An endpoint that cannot be connected
    /// to is ejected at once.
    pub(crate) request_failures: u32,
    /// Minimum ejection time; doubled by each further ejection soon after.
    pub(crate) min_ejection: Duration,
    /// Maximum ejection time: an endpoint is readmitted within 10 s of being healthy.
    pub(crate) max_ejection: Duration,
    /// Interval between checks of the file of endpoints. A change is used once two checks found it,
    /// so that a half-written file is not.
    pub(crate) file_interval: Duration,
    /// Interval at which DNS names are resolved again.
    pub(crate) resolve_interval: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            response_timeout: Duration::from_secs(100),
            upload_timeout: REQUEST_BODY_TIMEOUT,
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
