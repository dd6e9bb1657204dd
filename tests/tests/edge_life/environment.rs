//! The environment of web: certificates, an app and clients.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certs::IdentityFiles;
use certs::MutualFiles;
use certs::MutualServer;
use certs::TrustAnchors;
use certs::policy;
use dev_ca::Settings;
use listener::Transport;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;

/// A resource for which the app takes [`DELAY`].
pub(crate) const SLOW_PATH: &str = "/fhir/Patient/7d0e9f3a-5f0c-4f0e-9c5b-0e8a3b1c2d4e";
/// A resource without a delay.
pub(crate) const FAST_PATH: &str = "/fhir/metadata";
/// The delay of the slow resource.
pub(crate) const DELAY: Duration = Duration::from_millis(1500);

/// Certificates and an app; both stop when this is dropped.
pub(crate) struct Environment {
    dir: TempDir,
    pub(crate) app: SocketAddr,
}

impl Environment {
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a handshake compares with the real time"
        )]
        let now = ::time::OffsetDateTime::now_utc();
        dev_ca::development(&Settings::new(dir.path(), now)).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = tcp.local_addr().unwrap();
        let new = Self { dir, app };
        let files = MutualFiles {
            identity: IdentityFiles {
                certificate: new.path("internal/app.pem"),
                key: new.path("internal/app.key"),
            },
            anchors: new.path("internal/ca.pem"),
        };
        let web = stack::identity("web").parse().unwrap();
        tokio::spawn(accept(tcp, MutualServer::reloading(files, web).unwrap()));
        new
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn client(&self, web: SocketAddr) -> Client {
        let anchors = TrustAnchors::from_pem_file(self.path("public/ca.pem")).unwrap();
        Client {
            web,
            config: Arc::new(policy::https_client(&anchors).unwrap()),
            opening: Vec::new(),
        }
    }
}

/// A client with a new connection for each request.
#[derive(Clone)]
pub(crate) struct Client {
    web: SocketAddr,
    config: Arc<ClientConfig>,
    opening: Vec<u8>,
}

impl Client {
    /// The same client, which sends these bytes before its handshake.
    pub(crate) fn opening_with(&self, opening: &[u8]) -> Self {
        Self {
            opening: opening.to_owned(),
            ..self.clone()
        }
    }

    /// The status of a complete response.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<u16> {
        let response = self.get_text(path).await?;
        let status = response
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status = status.ok_or_else(|| anyhow::anyhow!("no response: {response:?}"))?;
        Ok(status.parse()?)
    }

    /// A complete response.
    pub(crate) async fn get_text(&self, path: &str) -> anyhow::Result<String> {
        let mut tcp = TcpStream::connect(self.web).await?;
        tcp.write_all(&self.opening).await?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let mut stream = connector.connect("localhost".try_into()?, tcp).await?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut response = String::new();
        // Fails without a `close_notify`.
        stream.read_to_string(&mut response).await?;
        Ok(response)
    }
}

async fn accept(tcp: TcpListener, tls: MutualServer) {
    while let Ok((stream, address)) = tcp.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Ok(established) = tls.establish(stream, address).await {
                serve(established.stream).await;
            }
        });
    }
}

/// Serves requests without a body; the response has the client's address as web reports it.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8_lossy(&read).into_owned();
        if head.contains(SLOW_PATH) {
            time::sleep(DELAY).await;
        }
        read.clear();
        let client = head
            .lines()
            .find_map(|line| line.strip_prefix("x-forwarded-for: "));
        let body = format!("{{\"client\":\"{}\"}}", client.unwrap_or_default());
        let response = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: {}\r\n\r\n\
             {body}",
            body.len()
        );
        let sent = stream.write_all(response.as_bytes()).await;
        if sent.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}
