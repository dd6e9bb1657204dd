//! Connections between two tiers, each of which verifies the other's identity.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use rustls::ClientConfig;
use rustls::CommonState;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use tokio_rustls::server;

use crate::Identity;
use crate::IdentityFiles;
use crate::LoadError;
use crate::PeerError;
use crate::PeerIdentity;
use crate::Reloading;
use crate::Reloads;
use crate::SpiffeId;
use crate::TrustAnchors;
use crate::policy;

/// The files of one side of a mutual connection.
#[derive(Clone, Debug)]
pub struct MutualFiles {
    /// The local certificate and key.
    pub identity: IdentityFiles,
    /// The CA that the peer's certificate must chain to; PEM.
    pub anchors: PathBuf,
}

impl MutualFiles {
    fn list(&self) -> Vec<PathBuf> {
        vec![
            self.identity.certificate.clone(),
            self.identity.key.clone(),
            self.anchors.clone(),
        ]
    }

    fn load(&self) -> Result<(Identity, TrustAnchors), LoadError> {
        let identity = Identity::load_files(&self.identity)?;
        Ok((identity, TrustAnchors::from_pem_file(&self.anchors)?))
    }
}

/// A verified connection between two tiers.
#[derive(Debug)]
pub struct MutualConnection<S> {
    /// The TLS stream.
    pub stream: S,
    /// The verified identity of the peer.
    pub peer: PeerIdentity,
    /// The time for which both certificates remain valid. The owner of the connection closes it by
    /// then: TLS checks validity only in the handshake.
    pub remaining: Duration,
}

/// A failed connection to the other tier. No application data was exchanged.
#[derive(Debug, thiserror::Error)]
pub enum MutualError {
    /// The handshake failed; the error includes why a certificate was refused.
    #[error("TLS handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The peer that completed the handshake is not the expected one.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// A TLS configuration and the end of its certificate's validity.
struct Configured<C> {
    tls: Arc<C>,
    not_after: UnixTime,
}

impl<C> Configured<C> {
    fn verified<S>(
        &self,
        stream: S,
        connection: impl FnOnce(&S) -> &CommonState,
        expected: &SpiffeId,
    ) -> Result<MutualConnection<S>, PeerError> {
        let (peer, not_after) = PeerIdentity::verify(connection(&stream), expected)?;
        Ok(MutualConnection {
            stream,
            peer,
            remaining: until(not_after.as_secs().min(self.not_after.as_secs())),
        })
    }
}

/// The time from now until `seconds` after the Unix epoch; zero if that has passed.
fn until(seconds: u64) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates are valid by the system's clock, in the handshake too"
    )]
    let now = SystemTime::now();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    then.duration_since(now).unwrap_or_default()
}

/// The TLS server of a tier that accepts one other workload and no other client.
#[derive(Clone)]
pub struct MutualServer {
    config: Arc<Reloading<Configured<ServerConfig>>>,
    client: SpiffeId,
}

impl MutualServer {
    /// Loads the local identity and the trust anchors, and watches their files.
    ///
    /// # Errors
    /// [`LoadError`], if the files cannot be used now.
    pub fn reloading(files: MutualFiles, client: SpiffeId) -> Result<Self, LoadError> {
        let expected = client.clone();
        let list = files.list();
        let load = move || {
            let (identity, anchors) = files.load()?;
            Ok::<_, LoadError>(Configured {
                tls: Arc::new(policy::mutual_server(&identity, &anchors, &expected)?),
                not_after: identity.not_after(),
            })
        };
        let config = Reloading::start("the server identity", list, load)?;
        Ok(Self { config, client })
    }

    /// The reloads of the identity and the trust anchors.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.config.reloads()
    }

    /// Completes the handshake with a client. The caller limits the time: a slow client can delay
    /// the handshake without end.
    ///
    /// # Errors
    /// [`MutualError`].
    pub async fn accept<S>(
        &self,
        stream: S,
    ) -> Result<MutualConnection<server::TlsStream<S>>, MutualError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config.current();
        let acceptor = TlsAcceptor::from(Arc::clone(&config.tls));
        let stream = acceptor.accept(stream).await?;
        Ok(config.verified(stream, |stream| stream.get_ref().1, &self.client)?)
    }
}

/// The TLS client of a tier that connects to one other workload.
///
/// The server's certificate must chain to the CA, be valid for the host name, and carry exactly the
/// expected SPIFFE id. All three are checked in the handshake, before application data is sent.
#[derive(Clone)]
pub struct MutualClient {
    config: Arc<Reloading<Configured<ClientConfig>>>,
    name: ServerName<'static>,
    server: SpiffeId,
}

impl MutualClient {
    /// Loads the local identity and the trust anchors, and watches their files.
    ///
    /// # Errors
    /// [`LoadError`], if the files cannot be used now.
    pub fn reloading(
        files: MutualFiles,
        name: ServerName<'static>,
        server: SpiffeId,
    ) -> Result<Self, LoadError> {
        let expected = server.clone();
        let list = files.list();
        let load = move || {
            let (identity, anchors) = files.load()?;
            Ok::<_, LoadError>(Configured {
                tls: Arc::new(policy::mutual_client(&identity, &anchors, &expected)?),
                not_after: identity.not_after(),
            })
        };
        let config = Reloading::start("the client identity", list, load)?;
        Ok(Self {
            config,
            name,
            server,
        })
    }

    /// The reloads of the identity and the trust anchors.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.config.reloads()
    }

    /// Completes the handshake on an open connection; the caller sets `TCP_NODELAY` on TCP, and
    /// limits the time.
    ///
    /// # Errors
    /// [`MutualError`].
    pub async fn connect<S>(
        &self,
        stream: S,
    ) -> Result<MutualConnection<client::TlsStream<S>>, MutualError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config.current();
        let connector = TlsConnector::from(Arc::clone(&config.tls));
        let stream = connector.connect(self.name.clone(), stream).await?;
        Ok(config.verified(stream, |stream| stream.get_ref().1, &self.server)?)
    }
}
