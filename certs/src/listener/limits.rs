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
    /// From the handshake to the first request.
    pub first: Duration,
    /// Between the end of a request and the next one. PINGs do not prolong it.
    pub idle: Duration,
    /// While a request is being answered: so long may no byte move in either direction.
    pub stall: Duration,
    /// Who makes us wait with what we have to send must take [`Limits::rate`] after this time.
    pub patience: Duration,
    /// The slowest pace at which an answer may be taken, in bytes per second.
    pub rate: u32,
    /// At the order to shut down, a connection that is younger than this may still make its
    /// request: it was let in, and another process that takes the socket over can't serve it.
    pub last_call: Duration,
    /// From the order to shut down to the cutting of what is left.
    pub drain: Duration,
    /// A request's head, in bytes.
    pub header_bytes: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// What a client may send ahead on one stream, in bytes.
    pub stream_window: u32,
    /// What a client may send ahead on one HTTP/2 connection, in bytes.
    pub connection_window: u32,
    /// The payload of an HTTP/2 frame, in bytes.
    pub frame_bytes: u32,
    /// Streams that a client may have opened and reset before they were looked at (rapid reset,
    /// CVE-2023-44487).
    pub resets: usize,
    /// Resets of ours that a client may provoke.
    pub own_resets: usize,
}

impl Limits {
    /// For strangers: short patience.
    #[must_use]
    pub fn public() -> Self {
        Self {
            connections: 8192,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            first: Duration::from_secs(7),
            idle: Duration::from_mins(1),
            stall: Duration::from_mins(2),
            patience: Duration::from_secs(10),
            rate: 1024,
            last_call: Duration::from_millis(500),
            drain: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            streams: 100,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            frame_bytes: 16 * 1024,
            resets: 20,
            own_resets: 64,
        }
    }

    /// For another tier, which keeps its connections in a pool: longer than the pool's own limits,
    /// so that it is the client that closes, and no request meets a closing connection.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            connections: 4096,
            first: Duration::from_mins(2),
            idle: Duration::from_mins(2),
            stall: Duration::from_mins(3),
            patience: Duration::from_mins(1),
            // The other tier sends again what was not taken.
            last_call: Duration::ZERO,
            header_bytes: 32 * 1024,
            ..Self::public()
        }
    }
}
