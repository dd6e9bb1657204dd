//! From an accepted TCP connection to one that HTTP is spoken on.

mod held;
mod parting;
mod plain;
mod proxy;
mod taking;

use std::{net::SocketAddr, sync::Arc};

use certs::{
    PublicServer,
    listener::{Established, Refused, Transport},
};
use tokio::net::TcpStream;

use self::proxy::Source;
use crate::{
    client::TrustedProxies,
    limits::{Place, Places},
    metrics::{Handshake, Metrics},
};

pub(crate) use held::Held;
pub(crate) use parting::Parting;
pub(crate) use plain::PlainTransport;

/// The transport of the public edge: who the client is, its place, then TLS.
///
/// The client's place is taken before the handshake, so that whoever has too many connections
/// costs no cryptography, and given back when the connection ends.
#[derive(Clone)]
pub(crate) struct EdgeTransport {
    pub(crate) tls: PublicServer,
    pub(crate) places: Arc<Places>,
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    /// Whether every connection begins with a PROXY header. There is no "perhaps": whoever may
    /// leave it out may also make it up.
    pub(crate) proxy_protocol: bool,
    pub(crate) metrics: Arc<Metrics>,
}

impl Transport for EdgeTransport {
    type Stream = Held;

    async fn establish(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Refused> {
        // Counts as unfinished until it is known better: the caller drops what takes too long.
        let mut attempt = self.metrics.handshake();
        let welcome = self.welcome(&mut tcp, address).await;
        let (address, place) = welcome.map_err(|turned_away| {
            attempt.ended(turned_away.counts);
            Refused::TurnedAway(turned_away.why)
        })?;
        let (stream, protocol) = self.tls.accept(tcp).await.inspect_err(|_refused| {
            attempt.ended(Handshake::Tls);
        })?;
        attempt.ended(Handshake::Done);
        Ok(Established {
            stream: Held::new(stream, place),
            protocol,
            peer: None,
            address,
        })
    }
}

/// Why somebody does not get as far as a handshake.
struct TurnedAway {
    why: &'static str,
    counts: Handshake,
}

impl EdgeTransport {
    /// Who the client is, and its place.
    async fn welcome(
        &self,
        tcp: &mut TcpStream,
        address: SocketAddr,
    ) -> Result<(SocketAddr, Place), TurnedAway> {
        let address = self.source(tcp, address).await.map_err(|why| TurnedAway {
            why,
            counts: Handshake::Proxy,
        })?;
        let place = self.place(address).ok_or(TurnedAway {
            why: "a client has too many connections",
            counts: Handshake::Crowded,
        })?;
        // It fails when the client has gone; whoever reads or writes next learns of it.
        drop(taking::prepare(tcp));
        Ok((address, place))
    }

    /// The client's address: the kernel's word, or that of a load balancer's PROXY header.
    async fn source(
        &self,
        tcp: &mut TcpStream,
        address: SocketAddr,
    ) -> Result<SocketAddr, &'static str> {
        if !self.proxy_protocol {
            return Ok(address);
        }
        if !self.trusted_proxies.contains(address.ip()) {
            return Err("a connection past the load balancers");
        }
        match proxy::read(tcp).await {
            Ok(Source::Local) => Ok(address),
            Ok(Source::Client(client)) => Ok(client),
            Err(error) => Err(error.reason()),
        }
    }

    /// A place for the client. A load balancer's own connections are those of many clients, and
    /// have no limit but the one for all.
    fn place(&self, address: SocketAddr) -> Option<Place> {
        if self.trusted_proxies.contains(address.ip()) {
            return Some(self.places.take_shared());
        }
        self.places.take(address.ip())
    }
}

#[cfg(test)]
mod tests;
