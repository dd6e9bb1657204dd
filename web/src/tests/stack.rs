//! What the tests stand on: certificates, an app that tells what it got, an edge, a client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use certs::IdentityFiles;
use certs::MutualClient;
use certs::MutualFiles;
use certs::MutualServer;
use certs::PublicServer;
use certs::TrustAnchors;
use certs::Versions;
use certs::policy;
use dev_ca::Settings;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::admission::Admission;
use crate::api_schema::ApiSchema;
use crate::edge::Edge;
use crate::edge_handler::EdgeHandler;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::transport::EdgeTransport;
use crate::upstream::Source;
use crate::upstream::Upstreams;

/// Everything that `issue` makes, in a folder of its own.
pub(super) struct Certificates(TempDir);

impl Certificates {
    pub(super) fn issue() -> Self {
        let dir = TempDir::new().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a handshake compares with the real time"
        )]
        let now = time::OffsetDateTime::now_utc();
        dev_ca::development(&Settings::new(dir.path(), now)).unwrap();
        Self(dir)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn identity(&self, name: &str) -> IdentityFiles {
        IdentityFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    fn mutual(&self, name: &str) -> MutualFiles {
        MutualFiles {
            identity: self.identity(name),
            anchors: self.path("internal/ca.pem"),
        }
    }
}

/// What an app got.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An app that remembers each whole request, and answers with its number.
#[derive(Clone)]
pub(super) struct App {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) shutdown: CancellationToken,
}

impl App {
    /// With the certificate `name`, which is right if it is `internal/app`.
    pub(super) async fn start(certificates: &Certificates, name: &str) -> Self {
        let client = "spiffe://stack.internal/web".parse().unwrap();
        let tls = MutualServer::reloading(certificates.mutual(name), client).unwrap();
        let (tcp, address) = bind().await;
        let app = Self {
            address,
            seen: Arc::default(),
            shutdown: CancellationToken::new(),
        };
        let (shutdown, remembering) = (app.shutdown.clone(), app.clone());
        let service = service_fn(move |request| remembering.clone().answer(request));
        tokio::spawn(listener::serve(
            tcp,
            tls,
            listener::Http1(service),
            listener::Limits::internal(),
            shutdown,
        ));
        app
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
        let (parts, body) = request.into_parts();
        // The edge asks by itself, and nobody else is interested.
        if parts.uri.path() == "/readyz" {
            return Ok(Response::new("ready".to_owned()));
        }
        let Ok(body) = body.collect().await else {
            return Ok(Response::new(String::new()));
        };
        let seen = Seen {
            method: parts.method,
            path: parts.uri.to_string(),
            headers: parts.headers,
            body: body.to_bytes().to_vec(),
        };
        self.seen.lock().unwrap().push(seen);
        let number = self.seen().len();
        let mut response = Response::new(format!("answer {number}"));
        response
            .headers_mut()
            .insert("server", "app/1.0".parse().unwrap());
        Ok(response)
    }

    /// What it got so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    (tcp, address)
}

/// The edge as the apps see it.
pub(super) fn mutual_client(certificates: &Certificates) -> MutualClient {
    MutualClient::reloading(
        certificates.mutual("internal/web"),
        "app.internal".try_into().unwrap(),
        "spiffe://stack.internal/app".parse().unwrap(),
    )
    .unwrap()
}

/// An edge in front of apps, and the client's view of it.
pub(super) struct Web {
    pub(super) address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Web {
    pub(super) async fn start(certificates: &Certificates, apps: &[SocketAddr]) -> Self {
        let limits = Arc::new(Limits::default());
        let apps = apps.iter().map(|app| app.to_string().parse().unwrap());
        let upstreams = Upstreams::start(
            Source::Fixed(apps.collect()),
            "app.internal".parse().unwrap(),
            mutual_client(certificates),
            limits.upstream.clone(),
            Arc::default(),
        );
        let api_schema = ApiSchema::of_app().unwrap();
        let edge = Arc::new(Edge {
            origin: "https://localhost:8443".parse().unwrap(),
            metrics: Metrics::new(api_schema.templates()),
            api_schema: Arc::new(api_schema),
            trusted_proxies: Arc::default(),
            admission: Admission::new(&limits),
            upstreams: Arc::new(upstreams.unwrap()),
            traced: false,
            draining: CancellationToken::new(),
            limits,
        });
        let identity = certificates.identity("public/web");
        let public = PublicServer::reloading(identity, Versions::Tls13).unwrap();
        let transport = EdgeTransport {
            tls: public,
            admission: Arc::clone(&edge.admission),
            limits: Arc::clone(&edge.limits),
            trusted_proxies: Arc::default(),
            proxy_protocol: false,
            metrics: Arc::clone(&edge.metrics),
        };
        let (tcp, address) = bind().await;
        let (limits, shutdown) = (edge.limits.listener(1), CancellationToken::new());
        tokio::spawn(listener::serve(
            tcp,
            transport,
            EdgeHandler(edge),
            limits,
            shutdown,
        ));
        let anchors = TrustAnchors::from_pem_file(certificates.path("public/ca.pem")).unwrap();
        Self {
            address,
            config: Arc::new(policy::https_client(&anchors).unwrap()),
        }
    }

    pub(super) async fn connect(&self, alpn: &str) -> TlsStream<TcpStream> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap()
    }

    /// Sends bytes as they are, and reads to the end.
    pub(super) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect("http/1.1").await;
        // The other side may have answered and closed before it has read all.
        drop(stream.write_all(bytes.as_ref()).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    }

    /// A request with the ordinary headers and these.
    pub(super) async fn ask(&self, line: &str, headers: &str, body: &str) -> String {
        let framing = match body.len() {
            0 => String::new(),
            length => format!("{FORM}content-length: {length}\r\n"),
        };
        let head = "host: localhost:8443\r\nconnection: close\r\n";
        self.raw(format!(
            "{line} HTTP/1.1\r\n{head}{headers}{framing}\r\n{body}"
        ))
        .await
    }

    pub(super) async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "", "").await
    }
}

/// What a body is, as a header.
pub(super) const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// The status of an answer.
pub(super) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}
