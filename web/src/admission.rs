//! Admission control: how clients share the capacities of this tier.
//!
//! - [`FairShare`]: capacities (connections, open streams, memory for bodies, concurrency).
//! - [`RateLimiter`]: requests per minute, handshakes per second.
//! - [`LoadShedder`]: requests in flight in the app tier, by class, within an adaptive limit.
//! - [`EstablishedClients`]: the clients that were authenticated recently, for which a part is
//!   reserved.
//!
//! A client is an IPv4 address, an IPv6 network of 64 bits, and, with a larger share, an IPv6 site
//! of 48 bits: the prefix that a provider assigns to one subscriber.

mod established;
mod fair_share;
mod load_shedder;
mod prefix;
mod rate_limiter;

use std::sync::Arc;

use crate::limits::Limits;

pub(crate) use established::EstablishedClients;
pub(crate) use fair_share::FairShare;
pub(crate) use fair_share::SharePermit;
pub(crate) use load_shedder::AdmissionPermit;
pub(crate) use load_shedder::LoadShedder;
pub(crate) use rate_limiter::RateLimiter;

/// The admission control of clients and requests, shared by all workers.
pub(crate) struct Admission {
    /// Connections, before their handshake.
    pub(crate) connections: Arc<FairShare>,
    /// Handshakes per second and client.
    pub(crate) handshakes: Arc<RateLimiter>,
    /// Open HTTP/2 streams.
    pub(crate) open_streams: Arc<FairShare>,
    /// Memory for bodies in transit, in bytes.
    pub(crate) buffers: Arc<FairShare>,
    /// Requests per minute and client.
    pub(crate) requests: Arc<RateLimiter>,
    /// Requests in flight in the app tier.
    pub(crate) shedder: LoadShedder,
    /// Clients that were authenticated recently.
    pub(crate) established: Arc<EstablishedClients>,
}

impl Admission {
    /// Admission control with these limits.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let established = Arc::new(EstablishedClients::new());
        let share = |limits| FairShare::new(limits, Arc::clone(&established));
        Arc::new(Self {
            connections: share(limits.connections),
            handshakes: RateLimiter::per_second(limits.handshakes_per_second),
            open_streams: share(limits.http2.open_streams),
            buffers: share(limits.buffers.share),
            requests: RateLimiter::per_minute(limits.requests_per_minute),
            shedder: LoadShedder::new(limits.classes, &established),
            established,
        })
    }
}
