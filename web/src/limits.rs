//! Every limit of this tier, each with its reason. Other modules enforce them.

mod upstream;

use std::num::NonZeroU32;
use std::time::Duration;

pub(crate) use upstream::UpstreamLimits;

/// Maximum time without a byte in either direction while a request to a plaintext listener (the
/// redirect, metrics) is in flight. Connections of the edge have no such limit:
/// [`Limits::read_timeout`] and the limits towards the app tier end their pauses.
const PLAINTEXT_STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// Maximum header fields of a request. Browsers send about 20, a load balancer adds 5.
pub(crate) const MAX_HEADERS: usize = 64;

/// [`Limits::request_body_timeout`], which the app tier learns of too.
const REQUEST_BODY_TIMEOUT: Duration = Duration::from_mins(10);

/// The limits towards clients.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connections of all clients. A busy one takes about 40 KiB: together they stay below 400 MB,
    /// and the default of 524,288 file descriptors leaves room for as many to the app tier. One
    /// client's (`WEB_CONNECTIONS_PER_CLIENT`): 250 browsers behind one address, two each. A
    /// handshake or a field block without its end holds up to 110 KB: together 56 MB.
    pub(crate) connections: ShareLimits,
    /// TLS handshakes per second of one client (`WEB_HANDSHAKES_PER_SECOND`); five times as many at
    /// once, so that a clinic behind one address can reconnect after a restart. A handshake takes
    /// 0.4 ms of a core: one client can claim an eighth of a core, and no more.
    pub(crate) handshakes_per_second: NonZeroU32,
    /// From the accepted connection to the end of the TLS handshake, the PROXY header included:
    /// three round trips of the slowest satellite link and some loss.
    pub(crate) handshake_timeout: Duration,
    /// From the handshake to the first request: browsers connect ahead of need, but not long.
    pub(crate) first_request_timeout: Duration,
    /// From the first byte of a request's head to its last. A head fits a few packets.
    pub(crate) header_timeout: Duration,
    /// Between one request and the next. Browsers keep connections for minutes, and a saved
    /// handshake is worth more than the memory of an idle connection; load balancers (AWS: 60 s)
    /// must close first, so that no request is sent on a connection that this tier closes.
    pub(crate) keep_alive_timeout: Duration,
    /// How long a client may neither send the rest of a body, nor read a response, nor grant
    /// flow-control credit for it; then [`Limits::min_bytes_per_second`] applies.
    pub(crate) read_timeout: Duration,
    /// The slowest rate of a request body and of a response, in bytes per second: a tenth of GPRS.
    /// A slower client is an attack.
    pub(crate) min_bytes_per_second: u32,
    /// Maximum total time of a request body: a little more than 8 MiB at 128 kbit/s take.
    pub(crate) request_body_timeout: Duration,
    /// Maximum total time of a response, from its head: a little more than 100 MB at 1 Mbit/s take.
    /// Checked only while the client delays the response: one whose client reads as fast as it
    /// arrives may take longer. Before a connection is closed, its client has as long again to read
    /// from the kernel's send buffer.
    pub(crate) response_timeout: Duration,
    /// Interval of the check that a client reads its responses from the kernel's send buffer, at
    /// [`Limits::min_bytes_per_second`], in whole seconds.
    pub(crate) write_stall_interval: Duration,
    /// `TCP_USER_TIMEOUT`: the time after which the kernel closes the connection of a client that
    /// does not acknowledge data.
    pub(crate) tcp_user_timeout: Duration,
    /// A request's head, in bytes: the session cookie and a large token, twice. Larger gets 431.
    pub(crate) max_header_bytes: u32,
    /// Limits of HTTP/2.
    pub(crate) http2: Http2Limits,
    /// A transaction, in bytes: as much as the app accepts.
    pub(crate) max_bundle_bytes: u64,
    /// Any other body, in bytes: as much as the app accepts. Forms, searches and workflow requests
    /// are small.
    pub(crate) max_body_bytes: u64,
    /// The part of a request body that is read before an upstream connection is used, in bytes: all
    /// of a small one.
    pub(crate) prebuffer_bytes: usize,
    /// Memory for the bodies of requests and responses in transit.
    pub(crate) buffers: BufferLimits,
    /// The part of a refused request body that is read and discarded, in bytes, so that the client
    /// gets the response.
    pub(crate) linger_bytes: usize,
    /// The time for which a refused request body is read.
    pub(crate) linger_timeout: Duration,
    /// Requests per minute of one client (`WEB_REQUESTS_PER_MINUTE`): a thousand a second, for a
    /// clinic behind one address or an import of whole records. It stops an endless loop of one
    /// client; it does not price requests.
    pub(crate) requests_per_minute: NonZeroU32,
    /// Requests in flight in the app tier, by class.
    pub(crate) classes: ClassLimits,
    /// The limits towards the app tier.
    pub(crate) upstream: UpstreamLimits,
    /// On SIGTERM, a connection younger than this may still send its first request: a little more
    /// than one round trip around the world, so that none is lost when a new process takes over.
    pub(crate) shutdown_grace: Duration,
    /// On SIGTERM, the time for requests in flight (`WEB_DRAIN_SECONDS`).
    pub(crate) drain_timeout: Duration,
}

/// Limits of an HTTP/2 connection (RFC 9113).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http2Limits {
    /// Requests at a time on one connection: Envoy's practice for an edge, and the least that
    /// RFC 9113 (6.5.2) recommends.
    pub(crate) max_streams: u32,
    /// Open requests of all clients over HTTP/2. Each takes about 5 KB: together 40 MB. Beyond its
    /// share a client's streams are refused, which it may safely retry (RFC 9113, 8.7).
    pub(crate) open_streams: ShareLimits,
    /// Request bytes in advance on one stream: one read buffer of the app. Envoy's practice.
    pub(crate) stream_window: u32,
    /// Request bytes in advance on one connection: sixteen busy streams. Envoy's practice.
    pub(crate) connection_window: u32,
    /// Maximum payload of a frame, in bytes: the minimum that RFC 9113 (6.5.2) allows, so that
    /// streams take turns.
    pub(crate) max_frame_bytes: u32,
    /// Response bytes of a connection, and of one stream, that are handed to HTTP/2 before the
    /// client's socket accepted them: four TLS records.
    pub(crate) max_unsent_bytes: usize,
    /// Streams that a client may have opened and reset before they were handled. A browser that
    /// leaves a page resets a few; rapid reset (CVE-2023-44487) needs hundreds.
    pub(crate) max_pending_resets: usize,
    /// Maximum stream errors that a client may provoke: a few mistakes are tolerated.
    pub(crate) max_local_resets: usize,
}

/// A capacity that clients share: see [`crate::admission::FairShare`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareLimits {
    /// For all clients together.
    pub(crate) capacity: u64,
    /// The part of the capacity that is reserved for established clients: those from which the app
    /// has recently authenticated a request.
    pub(crate) reserved: u64,
    /// Maximum of one client, however much is free. An IPv6 site (/48) has four times as much as
    /// one of its networks (/64).
    pub(crate) max_per_client: u64,
}

/// Memory for the bodies of requests and responses in transit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferLimits {
    /// In bytes. Web stays within 64 MB of its idle size also while all of it is used.
    pub(crate) share: ShareLimits,
    /// Memory of a request from its forwarding to the end of its response, in bytes: most responses
    /// fit. Before, a request holds as much as was received of its body.
    pub(crate) per_request: u64,
    /// Maximum size of a response, in bytes, that is read at once, so that a slow client does not
    /// occupy an upstream connection. Larger ones are streamed.
    pub(crate) max_response: u64,
}

/// The bounds of a class's adaptive concurrency limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimiterConfig {
    /// The limit does not fall below this. A quarter of it is reserved for established clients, and
    /// one client gets at most half.
    pub(crate) min: u32,
    /// The limit does not rise above this.
    pub(crate) max: u32,
    /// Responses within this time never count as overload, even if they are usually much faster.
    pub(crate) tolerated_latency: Duration,
}

/// The classes of requests, so that one cannot exclude another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassLimits {
    /// The floor is what an app's pool of database connections serves in a moment; the ceiling
    /// bounds memory. A person does not notice that the head of a page takes 100 ms.
    pub(crate) ordinary: LimiterConfig,
    /// Transactions. Each takes a core and a database connection for up to seconds, and up to 8 MiB
    /// of an app's memory. An import sends four at a time, half of the floor: as many as one
    /// established client gets of it while no other sends transactions. A client that is not
    /// established gets three.
    pub(crate) bulk: LimiterConfig,
    /// Requests that hash a password. An app hashes few at a time, 50 ms each, with a short queue;
    /// it refuses more too.
    pub(crate) sign_in: LimiterConfig,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: ShareLimits {
                capacity: 8192,
                reserved: 1024,
                max_per_client: 512,
            },
            handshakes_per_second: const { NonZeroU32::new(300).unwrap() },
            handshake_timeout: Duration::from_secs(5),
            first_request_timeout: Duration::from_secs(7),
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            read_timeout: Duration::from_secs(10),
            min_bytes_per_second: 1024,
            request_body_timeout: REQUEST_BODY_TIMEOUT,
            response_timeout: Duration::from_mins(15),
            write_stall_interval: Duration::from_secs(5),
            tcp_user_timeout: Duration::from_secs(20),
            max_header_bytes: 16 * 1024,
            http2: Http2Limits::default(),
            max_bundle_bytes: 8 * 1024 * 1024,
            max_body_bytes: 64 * 1024,
            prebuffer_bytes: 64 * 1024,
            buffers: BufferLimits::default(),
            linger_bytes: 256 * 1024,
            linger_timeout: Duration::from_secs(1),
            requests_per_minute: const { NonZeroU32::new(60_000).unwrap() },
            classes: ClassLimits::default(),
            upstream: UpstreamLimits::default(),
            shutdown_grace: Duration::from_millis(500),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            max_streams: 100,
            open_streams: ShareLimits {
                capacity: 8192,
                reserved: 1024,
                max_per_client: 1024,
            },
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            max_frame_bytes: 16 * 1024,
            max_unsent_bytes: 64 * 1024,
            max_pending_resets: 20,
            max_local_resets: 64,
        }
    }
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self {
            share: ShareLimits {
                capacity: 24 * 1024 * 1024,
                reserved: 6 * 1024 * 1024,
                max_per_client: 12 * 1024 * 1024,
            },
            per_request: 16 * 1024,
            max_response: 64 * 1024,
        }
    }
}

impl Default for ClassLimits {
    fn default() -> Self {
        Self {
            ordinary: LimiterConfig {
                min: 64,
                max: 1024,
                tolerated_latency: Duration::from_millis(100),
            },
            bulk: LimiterConfig {
                min: 8,
                max: 64,
                tolerated_latency: Duration::from_secs(5),
            },
            sign_in: LimiterConfig {
                min: 16,
                max: 64,
                tolerated_latency: Duration::from_secs(2),
            },
        }
    }
}

impl Limits {
    /// The limits of a listener for `workers` threads, each of which accepts connections.
    pub(crate) fn listener(&self, workers: usize) -> listener::Limits {
        let connections = usize::try_from(self.connections.capacity).unwrap_or(usize::MAX);
        listener::Limits {
            max_connections: connections.div_ceil(workers.max(1)),
            handshake_timeout: self.handshake_timeout,
            first_request_timeout: self.first_request_timeout,
            header_timeout: self.header_timeout,
            keep_alive_timeout: self.keep_alive_timeout,
            stall_timeout: PLAINTEXT_STALL_TIMEOUT,
            read_timeout: self.read_timeout,
            min_bytes_per_second: self.min_bytes_per_second,
            shutdown_grace: self.shutdown_grace,
            drain_timeout: self.drain_timeout,
            max_header_bytes: self.max_header_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_leaves_room_for_the_next() {
        let limits = Limits::default();
        assert!(limits.upstream.connect_timeout < limits.upstream.response_timeout);
        assert!(limits.handshake_timeout < Duration::from_secs(10));
        let load_balancer = Duration::from_mins(1);
        assert!(load_balancer < limits.keep_alive_timeout);
        for share in [
            limits.connections,
            limits.http2.open_streams,
            limits.buffers.share,
        ] {
            assert!(share.max_per_client <= share.capacity / 2);
            assert!(share.reserved < share.capacity / 2);
        }
        let classes = limits.classes;
        for class in [classes.ordinary, classes.bulk, classes.sign_in] {
            assert!(0 < class.min && class.min <= class.max);
        }
        // The four requests of `cargo stack import`: an established client gets half of the floor.
        assert!(limits.classes.bulk.min >= 8);
    }

    #[test]
    fn an_app_has_a_slot_for_every_request_that_memory_admits() {
        let limits = Limits::default();
        let buffers = limits.buffers;
        let requests = buffers.share.capacity / buffers.per_request;
        let slots = u64::try_from(limits.upstream.max_in_flight).unwrap();
        assert!(requests <= slots, "{requests} requests, {slots} slots");
    }
}
