use std::{io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    LoadError, MutualFiles, PeerError, PeerIdentity, Reloading, Reloads, SpiffeId, policy,
};

/// The TLS side of a tier that connects to one other tier.
///
/// The server's certificate must lead to our CA, be valid for the host name, and carry exactly the
/// expected SPIFFE id: all three are checked within the handshake, before anything is sent.
#[derive(Clone)]
pub struct MutualClient {
    config: Arc<Reloading<ClientConfig>>,
    name: ServerName<'static>,
    server: SpiffeId,
}

/// Why there is no connection to the other tier. Nothing was sent to it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The handshake failed; for a certificate that is refused, the reason is within.
    #[error("TLS handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The handshake was completed by someone else.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl MutualClient {
    /// Loads our identity and the trust anchors, and goes on watching their files.
    ///
    /// # Errors
    /// [`LoadError`], if what is there now can't be used.
    pub fn reloading(
        files: MutualFiles,
        name: ServerName<'static>,
        server: SpiffeId,
    ) -> Result<Self, LoadError> {
        let expected = server.clone();
        let list = files.list();
        let load = move || {
            let (identity, anchors) = files.load()?;
            Ok(policy::mutual_client(&identity, &anchors, &expected)?)
        };
        let config = Reloading::start("our identity as a client", list, load)?;
        Ok(Self {
            config,
            name,
            server,
        })
    }

    /// How often our identity and the trust anchors were taken up anew.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.config.reloads()
    }

    /// Makes a verified connection of an open one, which has `TCP_NODELAY` if it is TCP. Takes as
    /// long as the peer does: the caller sets the limit.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect<S>(&self, stream: S) -> Result<(TlsStream<S>, PeerIdentity), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(self.config.current());
        let stream = connector.connect(self.name.clone(), stream).await?;
        let peer = PeerIdentity::of(stream.get_ref().1, &self.server)?;
        Ok((stream, peer))
    }
}
