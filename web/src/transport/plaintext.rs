//! The transport of the plaintext listener, which redirects to HTTPS.

use std::net::SocketAddr;

use listener::Established;
use listener::Protocol;
use listener::Rejected;
use listener::Transport;
use tokio::net::TcpStream;

use super::EdgeTransport;
use super::client_socket::ClientSocket;

/// [`EdgeTransport`] without TLS.
pub(crate) struct PlaintextTransport(pub(crate) EdgeTransport);

impl Transport for PlaintextTransport {
    type Stream = ClientSocket;

    async fn establish(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        let admitted = self.0.admit(&mut tcp, address).await;
        let (address, permit) = admitted.map_err(|not_admitted| {
            self.0.metrics.handshake().ended(not_admitted.outcome);
            Rejected::NotAdmitted(not_admitted.reason)
        })?;
        Ok(Established {
            stream: ClientSocket::new(tcp, permit, &self.0.limits),
            protocol: Protocol::Http1,
            peer: None,
            address,
            valid_for: None,
        })
    }
}
