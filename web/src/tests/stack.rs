//! The fixtures of the tests: certificates, an app that records its requests, an edge with a
//! client.

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

/// The certificates of the whole stack, in a temporary directory.
pub(super) struct Certificates(TempDir);

impl Certificates {
    pub(super) fn issue() -> Self {
        let dir = TempDir::new().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a handshake compares with the system clock"
        )]
        let now = time::OffsetDateTime::now_utc();
        dev_ca::development(&Settings::new(dir.path(), now).in_trust_domain("example.internal"))
            .unwrap();
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

/// A request as the app received it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An app that records its requests, and responds to each with its number and a padding.
#[derive(Clone)]
pub(super) struct FakeApp {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    padding: Arc<Mutex<String>>,
    pub(super) shutdown: CancellationToken,
}

impl FakeApp {
    /// Starts an app with the certificate `name`; the correct one is `internal/app`.
    pub(super) async fn start(certificates: &Certificates, name: &str) -> Self {
        let client = "spiffe://example.internal/web".parse().unwrap();
        let tls = MutualServer::reloading(certificates.mutual(name), client).unwrap();
        let (tcp, address) = bind().await;
        let app = Self {
            address,
            received: Arc::default(),
            padding: Arc::default(),
            shutdown: CancellationToken::new(),
        };
        let (shutdown, recorder) = (app.shutdown.clone(), app.clone());
        let service = service_fn(move |request| recorder.clone().respond(request));
        tokio::spawn(listener::serve(
            tcp,
            tls,
            listener::Http1(service),
            listener::Limits::internal(),
            shutdown,
        ));
        app
    }

    async fn respond(self, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
        let (parts, body) = request.into_parts();
        // Probes are not recorded.
        if parts.uri.path() == "/readyz" {
            return Ok(Response::new("ready".to_owned()));
        }
        let Ok(body) = body.collect().await else {
            return Ok(Response::new(String::new()));
        };
        let received = Received {
            method: parts.method,
            path: parts.uri.to_string(),
            headers: parts.headers,
            body: body.to_bytes().to_vec(),
        };
        self.received.lock().unwrap().push(received);
        let number = self.received().len();
        let padding = self.padding.lock().unwrap().clone();
        let mut response = Response::new(format!("response {number}{padding}"));
        response
            .headers_mut()
            .insert("server", "app/1.0".parse().unwrap());
        Ok(response)
    }

    /// Makes further responses longer by this number of bytes.
    pub(super) fn pad(&self, bytes: usize) {
        *self.padding.lock().unwrap() = "x".repeat(bytes);
    }

    /// The requests received so far.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    (tcp, address)
}

/// The edge's TLS client for the app tier.
pub(super) fn mutual_client(certificates: &Certificates) -> MutualClient {
    MutualClient::reloading(
        certificates.mutual("internal/web"),
        "app.internal".try_into().unwrap(),
        "spiffe://example.internal/app".parse().unwrap(),
    )
    .unwrap()
}

/// A running edge, and a client of it.
pub(super) struct TestEdge {
    pub(super) address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl TestEdge {
    pub(super) async fn start(certificates: &Certificates, endpoints: &[SocketAddr]) -> Self {
        Self::start_with(certificates, endpoints, Limits::default()).await
    }

    pub(super) async fn start_with(
        certificates: &Certificates,
        endpoints: &[SocketAddr],
        limits: Limits,
    ) -> Self {
        let limits = Arc::new(limits);
        let endpoints = endpoints
            .iter()
            .map(|address| address.to_string().parse().unwrap());
        let upstreams = Upstreams::start(
            Source::Fixed(endpoints.collect()),
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
        let tcp = TcpStream::connect(self.address).await.unwrap();
        self.connect_over(tcp, alpn).await
    }

    pub(super) async fn connect_over(&self, tcp: TcpStream, alpn: &str) -> TlsStream<TcpStream> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap()
    }

    /// Sends bytes as they are, and reads the response to its end.
    pub(super) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect("http/1.1").await;
        // The edge may respond and close before it has read all bytes.
        drop(stream.write_all(bytes.as_ref()).await);
        let mut response = Vec::new();
        drop(stream.read_to_end(&mut response).await);
        String::from_utf8(response).unwrap()
    }

    /// Sends a request with the usual headers and these.
    pub(super) async fn request(&self, line: &str, headers: &str, body: &str) -> String {
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
        self.request(&format!("GET {path}"), "", "").await
    }
}

/// The content type of a form, as a header line.
pub(super) const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// The status of a response.
pub(super) fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or("none")
}
