//! A folder of right and wrong certificates for this crate's tests.

use std::{path::PathBuf, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    Identity, IdentityFiles, MutualFiles, SpiffeId, TrustAnchors,
    issue::{self, DevelopmentCa, Leaf, Settings, Subject, Usage, Validity},
    policy,
};

pub(crate) const DOMAIN: &str = "stack.internal";

#[expect(
    clippy::disallowed_methods,
    reason = "a handshake compares with the real time"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(crate) fn spiffe(workload: &str) -> SpiffeId {
    SpiffeId::new(DOMAIN, workload).unwrap()
}

/// Everything that `issue` makes, in a folder of its own.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn issue() -> Self {
        let dir = TempDir::new().unwrap();
        issue::development(&Settings::new(dir.path(), now())).unwrap();
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

    /// Issues `internal/<file>` by the internal CA, after `change` has made it wrong.
    pub(crate) fn wrong(&self, file: &str, usage: Usage, change: impl FnOnce(&mut Leaf)) -> String {
        let subject = Subject::new(DOMAIN, "stack internal CA");
        let ca = DevelopmentCa::load_or_create(&self.path("internal"), &subject, now()).unwrap();
        self.wrong_by(&ca, file, usage, change)
    }

    /// As [`Certificates::wrong`], by another CA of the same name.
    pub(crate) fn wrong_ca(&self, file: &str, usage: Usage) -> String {
        let subject = Subject::new(DOMAIN, "stack internal CA");
        let ca = DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap();
        self.wrong_by(&ca, file, usage, |_| ())
    }

    fn wrong_by(
        &self,
        ca: &DevelopmentCa,
        file: &str,
        usage: Usage,
        change: impl FnOnce(&mut Leaf),
    ) -> String {
        let (name, names) = match usage {
            Usage::Server => ("app", vec!["app.internal".to_owned()]),
            Usage::Client => ("web", vec![]),
        };
        let mut leaf = Leaf {
            names,
            uris: vec![spiffe(name).to_string()],
            ..Leaf::new(Subject::new(DOMAIN, name), usage, Validity::days(now(), 30))
        };
        change(&mut leaf);
        ca.issue(&leaf)
            .unwrap()
            .write(&self.path("internal"), file)
            .unwrap();
        format!("internal/{file}")
    }

    /// A client that shows `name`'s certificate, and checks the server as web does.
    pub(crate) fn client(&self, name: &str) -> ClientConfig {
        let files = self.identity(name);
        let identity = Identity::load(&files.certificate, &files.key).unwrap();
        policy::mutual_client(&identity, &self.anchors("internal/ca.pem"), &spiffe("app")).unwrap()
    }

    pub(crate) fn anchors(&self, name: &str) -> TrustAnchors {
        TrustAnchors::from_pem_file(self.path(name)).unwrap()
    }
}

/// Sends one request on `config`'s terms; what comes back is an answer only if all checks passed.
pub(crate) async fn ask(
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
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
