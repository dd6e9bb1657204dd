//! Issued certificates and a small HTTPS client, for the tests of this crate and of `listener`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use certs::Identity;
use certs::IdentityFiles;
use certs::MutualFiles;
use certs::SpiffeId;
use certs::TrustAnchors;
use certs::policy;
use dev_ca::Settings;

pub(crate) const DOMAIN: &str = "example.internal";

#[expect(
    clippy::disallowed_methods,
    reason = "a handshake compares with the system clock"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(crate) fn spiffe(workload: &str) -> SpiffeId {
    SpiffeId::new(DOMAIN, workload).unwrap()
}

/// The certificates of the whole stack, in a temporary directory.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn issue() -> Self {
        let dir = TempDir::new().unwrap();
        dev_ca::development(&Settings::new(dir.path(), now()).in_trust_domain(DOMAIN)).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn identity(&self, name: &str) -> IdentityFiles {
        IdentityFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    pub(crate) fn mutual(&self, name: &str) -> MutualFiles {
        MutualFiles {
            identity: self.identity(name),
            anchors: self.path("internal/ca.pem"),
        }
    }

    /// The configuration of a client that presents the certificate of `name` and verifies the
    /// server as web does.
    pub(crate) fn client(&self, name: &str) -> ClientConfig {
        let files = self.identity(name);
        let identity = Identity::load(&files.certificate, &files.key).unwrap();
        policy::mutual_client(&identity, &self.anchors("internal/ca.pem"), &spiffe("app")).unwrap()
    }

    pub(crate) fn anchors(&self, name: &str) -> TrustAnchors {
        TrustAnchors::from_pem_file(self.path(name)).unwrap()
    }
}

/// Sends one `GET /` over TLS. Returns the response; an error if either side rejects the other.
pub(crate) async fn get(
    address: std::net::SocketAddr,
    name: &str,
    config: ClientConfig,
) -> std::io::Result<String> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}
