//! The transport of the public edge: from an accepted TCP connection to a TLS stream.

mod client_socket;
mod coalesced_close;
mod deferred_ticket;
mod plaintext;
mod proxy;
mod write_stall;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use certs::PublicServer;
use listener::Established;
use listener::Protocol;
use listener::Rejected;
use listener::Transport;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::client_socket::ClientSocket;
use self::deferred_ticket::DeferredTicketStream;
use self::proxy::Source;
use crate::admission::Admission;
use crate::admission::SharePermit;
use crate::client::TrustedProxies;
use crate::limits::Limits;
use crate::metrics::Handshake;
use crate::metrics::Metrics;

pub(crate) use plaintext::PlaintextTransport;

/// The transport of the public edge: PROXY header, admission, TLS.
///
/// Admission is before the handshake, so that a client with too many connections costs no
/// cryptography.
#[derive(Clone)]
pub(crate) struct EdgeTransport {
    pub(crate) tls: PublicServer,
    pub(crate) admission: Arc<Admission>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    /// Whether every connection begins with a PROXY header. The header is never optional: a client
    /// that may omit it may also forge it.
    pub(crate) proxy_protocol: bool,
    pub(crate) metrics: Arc<Metrics>,
}

impl Transport for EdgeTransport {
    type Stream = TlsStream<DeferredTicketStream>;

    async fn establish(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        // The caller drops this future after its timeout: the handshake then counts as unfinished.
        let mut attempt = self.metrics.handshake();
        let admitted = self.admit(&mut tcp, address).await;
        let (address, permit) = admitted.map_err(|not_admitted| {
            attempt.ended(not_admitted.outcome);
            Rejected::NotAdmitted(not_admitted.reason)
        })?;
        let socket = ClientSocket::new(tcp, permit, &self.limits);
        let (stream, protocol) = self.accept_tls(socket).await.inspect_err(|_failed| {
            attempt.ended(Handshake::Tls);
        })?;
        attempt.ended(Handshake::Done);
        Ok(Established {
            stream,
            protocol,
            peer: None,
            address,
            valid_for: None,
        })
    }
}

/// A connection that is rejected before its TLS handshake.
struct NotAdmitted {
    reason: &'static str,
    outcome: Handshake,
}

impl EdgeTransport {
    /// Completes the TLS handshake. Returns the stream and the negotiated protocol.
    async fn accept_tls(
        &self,
        socket: ClientSocket,
    ) -> io::Result<(TlsStream<DeferredTicketStream>, Protocol)> {
        let acceptor = TlsAcceptor::from(self.tls.config());
        let mut stream = acceptor.accept(DeferredTicketStream::new(socket)).await?;
        stream.get_mut().0.on_established();
        let protocol = Protocol::negotiated(stream.get_ref().1);
        Ok((stream, protocol))
    }

    /// Determines the client's address, and acquires its connection permit.
    async fn admit(
        &self,
        tcp: &mut TcpStream,
        address: SocketAddr,
    ) -> Result<(SocketAddr, SharePermit), NotAdmitted> {
        let address = self
            .source(tcp, address)
            .await
            .map_err(|reason| NotAdmitted {
                reason,
                outcome: Handshake::Proxy,
            })?;
        let permit = self.permit(address).ok_or(NotAdmitted {
            reason: "the client's share of connections is exhausted",
            outcome: Handshake::Crowded,
        })?;
        Ok((address, permit))
    }

    /// The client's address: from the kernel, or from a trusted proxy's PROXY header.
    async fn source(
        &self,
        tcp: &mut TcpStream,
        address: SocketAddr,
    ) -> Result<SocketAddr, &'static str> {
        if !self.proxy_protocol {
            return Ok(address);
        }
        if !self.trusted_proxies.contains(address.ip()) {
            return Err("a connection that is not from a trusted proxy");
        }
        match proxy::read(tcp).await {
            Ok(Source::Local) => Ok(address),
            Ok(Source::Client(client)) => Ok(client),
            Err(error) => Err(error.reason()),
        }
    }

    /// Admits one more connection of a client. Connections of a trusted proxy carry many clients,
    /// and are limited only by the total capacity.
    fn permit(&self, address: SocketAddr) -> Option<SharePermit> {
        let connections = &self.admission.connections;
        if self.trusted_proxies.contains(address.ip()) {
            return connections.try_acquire_unshared(1);
        }
        self.admission.handshakes.check(address.ip()).ok()?;
        connections.try_acquire(address.ip(), 1)
    }
}

#[cfg(test)]
mod tests;
