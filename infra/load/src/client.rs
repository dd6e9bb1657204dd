//! A client that opens connections by full handshakes and requests one path.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use rustls::HandshakeKind;
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The version of HTTP that a load speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// `h1` or `h2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
        }
    }

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }

    /// Connections, and requests at a time on each.
    #[must_use]
    pub fn shape(self) -> (u16, u16) {
        match self {
            Self::Http1 => (32, 1),
            Self::Http2 => (8, 16),
        }
    }

    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// A key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The classical one.
    X25519,
    /// The same together with ML-KEM-768, which a quantum computer does not break.
    MlKem,
}

impl Group {
    /// Its name in TLS.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::X25519 => "X25519",
            Self::MlKem => "X25519MLKEM768",
        }
    }

    fn supported(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X25519 => aws_lc_rs::kx_group::X25519,
            Self::MlKem => aws_lc_rs::kx_group::X25519MLKEM768,
        }
    }
}

/// A client of one server on the loopback interface that makes a full handshake for each connection and requests one
/// path.
#[derive(Clone)]
pub struct Client {
    port: u16,
    pub(crate) path: &'static str,
    pub(crate) protocol: Protocol,
    group: Group,
    tls: TlsConnector,
}

impl Client {
    /// A client of the server on `port` that trusts only the CA in the PEM file `authority`.
    ///
    /// # Errors
    /// When the CA's certificate cannot be read.
    pub fn new(
        port: u16,
        path: &'static str,
        authority: &Path,
        protocol: Protocol,
        group: Group,
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(authority).context("the CA cannot be read")?;
        roots
            .add(root)
            .context("the file of the CA has no certificate")?;
        let provider = CryptoProvider {
            kx_groups: vec![group.supported()],
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            ..aws_lc_rs::default_provider()
        };
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .context("the client's TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        Ok(Self {
            port,
            path,
            protocol,
            group,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// A connection over which the protocol can be spoken.
    pub(crate) async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .context("the server accepts no connections")?;
        stream
            .set_nodelay(true)
            .context("TCP_NODELAY cannot be set")?;
        let name =
            ServerName::try_from("localhost").context("localhost is not a valid server name")?;
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .context("the handshake failed")?;
        let session = stream.get_ref().1;
        let group = session
            .negotiated_key_exchange_group()
            .map(SupportedKxGroup::name);
        if session.handshake_kind() != Some(HandshakeKind::Full)
            || group != Some(self.group.supported().name())
        {
            bail!("the handshake is not the one to be measured");
        }
        Ok(stream)
    }

    pub(crate) fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }
}
