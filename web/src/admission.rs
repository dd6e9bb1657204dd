//! Admission: which client gets how much of what all clients share.
//!
//! - [`FairShare`]: capacities (connections, open streams, memory for bodies, requests at work).
//! - [`RateLimiter`]: requests per minute, handshakes per second.
//! - [`LoadShedder`]: requests at work in the app tier, by class, within an adaptive limit.
//! - [`EstablishedClients`]: the clients with a session, for which a part is reserved.
//!
//! A client is an IPv4 address, an IPv6 network of 64 bits, and, with a larger share, an IPv6 site
//! of 48 bits: what one subscriber gets from a provider.

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

/// Everything that admits clients and requests, shared by all workers.
pub(crate) struct Admission {
    /// Connections, before their handshake.
    pub(crate) connections: Arc<FairShare>,
    /// Handshakes of one client.
    pub(crate) handshakes: Arc<RateLimiter>,
    /// Open requests over HTTP/2.
    pub(crate) open_streams: Arc<FairShare>,
    /// Memory for bodies on their way, in bytes.
    pub(crate) buffers: Arc<FairShare>,
    /// Requests of one client.
    pub(crate) requests: Arc<RateLimiter>,
    /// Requests at work in the app tier.
    pub(crate) shedder: LoadShedder,
    /// Clients with a session.
    pub(crate) established: Arc<EstablishedClients>,
}

impl Admission {
    /// Admission within these limits.
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
