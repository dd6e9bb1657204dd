//! The limits of one listener, as plain numbers.

use std::time::Duration;

/// What one listener tolerates.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further clients wait in the kernel's queue.
    pub max_connections: usize,
    /// From the accepted TCP connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the handshake to the first request.
    pub first_request_timeout: Duration,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// Between the end of a request and the next one.
    pub keep_alive_timeout: Duration,
    /// While a request is in flight: the longest time in which no byte moves in either direction.
    pub stall_timeout: Duration,
    /// The grace period of a client that does not read before [`Limits::min_bytes_per_second`]
    /// applies, and the longest time in which it may read nothing.
    pub read_timeout: Duration,
    /// The slowest rate at which a client may read a response.
    pub min_bytes_per_second: u32,
    /// At the order to shut down, a connection younger than this may still make its request: it was
    /// accepted here, so the process that takes over the socket cannot serve it.
    pub shutdown_grace: Duration,
    /// From the order to shut down to the closing of the remaining connections.
    pub drain_timeout: Duration,
    /// The head of a request, in bytes.
    pub max_header_bytes: u32,
}

impl Limits {
    /// For clients of any kind.
    #[must_use]
    pub fn public() -> Self {
        Self {
            max_connections: 8192,
            handshake_timeout: Duration::from_secs(5),
            first_request_timeout: Duration::from_secs(7),
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_mins(1),
            stall_timeout: Duration::from_mins(2),
            read_timeout: Duration::from_secs(10),
            min_bytes_per_second: 1024,
            shutdown_grace: Duration::from_millis(500),
            drain_timeout: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
        }
    }

    /// For another tier, which keeps connections in a pool: longer than the pool's own limits, so
    /// that the client closes first and no request meets a closing connection.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            max_connections: 4096,
            first_request_timeout: Duration::from_mins(2),
            keep_alive_timeout: Duration::from_mins(2),
            stall_timeout: Duration::from_mins(3),
            read_timeout: Duration::from_mins(1),
            // The other tier retries what was not accepted.
            shutdown_grace: Duration::ZERO,
            max_header_bytes: 32 * 1024,
            ..Self::public()
        }
    }
}
