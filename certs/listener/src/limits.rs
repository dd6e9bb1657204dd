//! The limits of one listener.

use std::time::Duration;

/// The limits and timeouts of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Maximum open connections; further clients wait in the kernel's accept queue.
    pub max_connections: usize,
    /// From the accepted TCP connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the handshake to the first request.
    pub first_request_timeout: Duration,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// Between the end of a request and the next one.
    pub keep_alive_timeout: Duration,
    /// While a request is in flight: maximum time without a byte in either direction.
    pub stall_timeout: Duration,
    /// Grace period of a slow reader before [`Limits::min_bytes_per_second`] applies, and the
    /// maximum time without any read.
    pub read_timeout: Duration,
    /// Minimum rate at which a client must read a response, in bytes per second.
    pub min_bytes_per_second: u32,
    /// During a shutdown: time after its handshake in which a connection may still send its first
    /// request. The process that takes over the socket cannot serve this connection.
    pub shutdown_grace: Duration,
    /// From the shutdown to the abort of the remaining connections.
    pub drain_timeout: Duration,
    /// Maximum size of a request's head, in bytes.
    pub max_header_bytes: u32,
}

impl Limits {
    /// Limits for another tier that pools its connections: longer than the pool's timeouts, so that
    /// the client closes first and no request is sent on a connection that the server closes.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            max_connections: 4096,
            handshake_timeout: Duration::from_secs(5),
            first_request_timeout: Duration::from_mins(2),
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_mins(2),
            stall_timeout: Duration::from_mins(3),
            read_timeout: Duration::from_mins(1),
            min_bytes_per_second: 1024,
            // The other tier retries a request that was not accepted.
            shutdown_grace: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
            max_header_bytes: 32 * 1024,
        }
    }
}
