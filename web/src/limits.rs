//! Every number of this tier, in one place, each with its reason; and what keeps to them.

mod places;
mod requests;
mod shed;

use std::{num::NonZeroU32, time::Duration};

use certs::listener;

use crate::upstream;

pub(crate) use places::{Place, Places};
pub(crate) use requests::Requests;
pub(crate) use shed::{Rules, Shed, Ticket};

/// Headers of a request. Browsers send some 20, a load balancer adds 5.
pub(crate) const HEADERS: usize = 64;

/// How often the kernel is asked whether a client takes what it has for it: one that does not is
/// found after at most twice that.
pub(crate) const UNTAKEN: Duration = Duration::from_secs(5);

/// What a client has to take between two such looks, in bytes, while something is left for it:
/// [`Limits::pace`].
pub(crate) const LEAST_TAKEN: u32 = 5 * 1024;

/// So long the kernel tries to deliver to a client that acknowledges nothing.
pub(crate) const VANISHED: Duration = Duration::from_secs(20);

/// What this tier puts up with.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connections in all. Each takes some 40 KiB when it is busy: together they stay below
    /// 400 MB; and the default of 524,288 file descriptors has room for as many to the apps.
    pub(crate) connections: usize,
    /// Connections of one client (`WEB_CONNECTIONS_PER_CLIENT`). A clinic behind one address has
    /// some hundreds of people with a connection or two each; nobody alone takes more than an
    /// eighth of all.
    pub(crate) connections_per_client: u32,
    /// From the accepted connection to the end of the TLS handshake, the PROXY header included.
    /// Three round trips of the slowest satellite link and some loss; who is silent is gone within
    /// the 10 s that a scanner is given.
    pub(crate) handshake: Duration,
    /// From the handshake to the first request: a browser connects ahead of need, but not long.
    pub(crate) first: Duration,
    /// From the first byte of a request's head to its last. A head fits a few packets.
    pub(crate) head: Duration,
    /// Between one request and the next. Browsers keep connections for minutes, and a handshake
    /// saved is worth more than the memory of an idle connection; load balancers (AWS: 60 s) must
    /// give up first, so that no request meets a closing connection.
    pub(crate) idle: Duration,
    /// While a request is being answered, no byte in either direction for so long. More than
    /// the apps are given in all, so that an app that says nothing gets a 504 and not a cut.
    pub(crate) stall: Duration,
    /// How long a client may be silent in the midst of a body or of an answer.
    pub(crate) silence: Duration,
    /// The slowest pace of a body, or of an answer as it is taken, in bytes per second, after
    /// [`Limits::silence`]: a tenth of what GPRS gave. Slower is not a client but an attack.
    pub(crate) pace: u32,
    /// A request's head, in bytes: our own cookies and a large token, twice. Larger is a 431.
    pub(crate) head_bytes: u32,
    /// Requests at a time on one HTTP/2 connection: Envoy's practice for an edge, and the least
    /// that RFC 9113 (6.5.2) recommends.
    pub(crate) streams: u32,
    /// What may be sent ahead on a stream, in bytes: one buffer of an app's connection. Envoy's
    /// practice for an edge.
    pub(crate) stream_window: u32,
    /// What may be sent ahead on a connection: sixteen busy streams. Envoy's practice for an edge.
    pub(crate) connection_window: u32,
    /// A frame's payload: the least that has to be accepted (RFC 9113, 6.5.2), so that many
    /// streams take turns.
    pub(crate) frame_bytes: u32,
    /// Streams that a client may have opened and reset before we looked at them. A browser that
    /// leaves a page resets a few; rapid reset (CVE-2023-44487) needs hundreds.
    pub(crate) resets: usize,
    /// Resets of ours that the client may provoke: a few mistakes are bad luck.
    pub(crate) own_resets: usize,
    /// A transaction, in bytes: what the app takes. Larger records are sent in parts.
    pub(crate) bundle_bytes: u64,
    /// Any other body: what the app takes. Forms, searches and workflow requests are small.
    pub(crate) small_bytes: u64,
    /// What is read of a body before an app is asked: all of a small one.
    pub(crate) gathered_bytes: usize,
    /// What is read of a body that is not wanted, so that the client sees the answer that says so.
    pub(crate) linger_bytes: usize,
    /// How long it is read.
    pub(crate) linger: Duration,
    /// Requests a minute of one client (`WEB_REQUESTS_PER_MINUTE`): a thousand a second, for a
    /// clinic behind one address, or an import of whole records. It is there to keep one client's
    /// loop from being everybody's problem, not to price requests.
    pub(crate) requests_per_minute: NonZeroU32,
    /// Ordinary requests at work in the apps. The floor is what an app's pool of database
    /// connections serves in a moment; the ceiling bounds memory. Nobody notices a page's head
    /// that takes 100 ms, so that is no overload.
    pub(crate) ordinary: Rules,
    /// Transactions at work. Each takes a core and a database connection for up to seconds, and
    /// up to 8 MiB of an app's memory: four at a time are an import.
    pub(crate) bulk: Rules,
    /// What the apps are given, and what they may take.
    pub(crate) apps: upstream::Limits,
    /// On SIGTERM, a connection that is younger than this may still make its request: a round trip
    /// around the world and some, so that none is lost when a new binary takes over.
    pub(crate) last_call: Duration,
    /// On SIGTERM, what is in flight has so long (`WEB_DRAIN_SECONDS`).
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_client: 1024,
            handshake: Duration::from_secs(5),
            first: Duration::from_secs(7),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_mins(2),
            silence: Duration::from_secs(10),
            pace: 1024,
            head_bytes: 16 * 1024,
            streams: 100,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            frame_bytes: 16 * 1024,
            resets: 20,
            own_resets: 64,
            bundle_bytes: 8 * 1024 * 1024,
            small_bytes: 64 * 1024,
            gathered_bytes: 64 * 1024,
            linger_bytes: 256 * 1024,
            linger: Duration::from_secs(1),
            requests_per_minute: const { NonZeroU32::new(60_000).unwrap() },
            ordinary: Rules {
                floor: 64,
                ceiling: 1024,
                patience: Duration::from_millis(100),
            },
            bulk: Rules {
                floor: 4,
                ceiling: 64,
                patience: Duration::from_secs(5),
            },
            apps: upstream::Limits::default(),
            last_call: Duration::from_millis(500),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// What the listener needs of them.
    pub(crate) fn listener(&self) -> listener::Limits {
        listener::Limits {
            connections: self.connections,
            handshake: self.handshake,
            first: self.first,
            header: self.head,
            idle: self.idle,
            stall: self.stall,
            patience: self.silence,
            rate: self.pace,
            last_call: self.last_call,
            drain: self.drain,
            header_bytes: self.head_bytes,
            streams: self.streams,
            stream_window: self.stream_window,
            connection_window: self.connection_window,
            frame_bytes: self.frame_bytes,
            resets: self.resets,
            own_resets: self.own_resets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_leaves_room_for_the_next() {
        let limits = Limits::default();
        assert!(limits.apps.total < limits.stall);
        assert!(limits.apps.connect < limits.apps.total);
        assert!(limits.handshake < Duration::from_secs(10));
        let load_balancer = Duration::from_mins(1);
        assert!(load_balancer < limits.idle);
        let each = usize::try_from(limits.connections_per_client).unwrap();
        assert!(each * 8 <= limits.connections);
        for rules in [limits.ordinary, limits.bulk] {
            assert!(0 < rules.floor && rules.floor <= rules.ceiling);
        }
        // An import, as `cargo stack import` makes it, is never shed.
        assert!(limits.bulk.floor >= 4);
    }
}
