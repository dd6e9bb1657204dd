use std::time::Duration;

/// What one listener puts up with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further clients wait in the kernel's queue.
    pub connections: usize,
    /// From the accepted TCP connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last. On HTTP/2, where heads share the
    /// connection with other frames, [`Limits::idle`] takes its place.
    pub header: Duration,
    /// Between the end of a request and the next one. PINGs do not prolong it.
    pub idle: Duration,
    /// While a request is being answered: so long may no byte move in either direction.
    pub stall: Duration,
    /// From the order to shut down to the cutting of what is left.
    pub drain: Duration,
    /// A request's head, in bytes.
    pub header_bytes: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
}

impl Limits {
    /// For strangers: short patience.
    #[must_use]
    pub fn public() -> Self {
        Self {
            connections: 8192,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            stall: Duration::from_mins(2),
            drain: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            streams: 100,
        }
    }

    /// For another tier, which keeps its connections in a pool: longer than the pool's own limits,
    /// so that it is the client that closes, and no request meets a closing connection.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            connections: 4096,
            header: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            stall: Duration::from_mins(3),
            header_bytes: 32 * 1024,
            ..Self::public()
        }
    }
}
