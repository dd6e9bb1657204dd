//! Scripted endpoints, and an upstream pool without an edge in front.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::request;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::handler::BodyError;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::tests::stack::mutual_client;
use crate::upstream::Source;
use crate::upstream::UpstreamBody;
use crate::upstream::UpstreamCounters;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;

/// The action of an endpoint at a request.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Sends a response.
    Respond(String),
    /// Sends a response after a delay.
    RespondAfter(Duration, String),
    /// Sends a response and closes the connection.
    RespondAndClose(String),
    /// Sends a response and stops reading.
    RespondAndHang(String),
    /// Closes the connection.
    Close,
    /// Closes the connection after a delay.
    CloseAfter(Duration),
    /// Stops reading.
    Hang,
}

/// A response with a body of known length.
pub(super) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request as the endpoint received it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) head: String,
    pub(super) body: String,
    /// The number of requests before it on its connection.
    pub(super) index: usize,
}

impl Received {
    /// The value of `x-request-timeout-ms`.
    pub(super) fn timeout_ms(&self) -> u64 {
        let mut lines = self.head.lines();
        let value = lines.find_map(|line| line.strip_prefix("x-request-timeout-ms: "));
        value.unwrap().parse().unwrap()
    }
}

/// A scripted endpoint, which runs until it is dropped or killed.
pub(super) struct FakeEndpoint {
    pub(super) address: SocketAddr,
    /// All requests but probes.
    received: Arc<Mutex<Vec<Received>>>,
    /// Whether the endpoint accepts connections but never responds.
    pub(super) blackholed: Arc<AtomicBool>,
    /// Whether the endpoint responds to probes with 503.
    pub(super) unready: Arc<AtomicBool>,
    killed: CancellationToken,
}

type Script = Arc<dyn Fn(&Received) -> Action + Send + Sync>;

impl FakeEndpoint {
    pub(super) async fn start(
        certificates: &Certificates,
        script: impl Fn(&Received) -> Action + Send + Sync + 'static,
    ) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::start_at(address, certificates, script).await
    }

    /// Starts an endpoint that responds before it has read a request's body.
    pub(super) async fn start_impatient(
        certificates: &Certificates,
        script: impl Fn(&Received) -> Action + Send + Sync + 'static,
    ) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::serve(address, certificates, false, script).await
    }

    pub(super) async fn start_at(
        address: SocketAddr,
        certificates: &Certificates,
        script: impl Fn(&Received) -> Action + Send + Sync + 'static,
    ) -> Self {
        Self::serve(address, certificates, true, script).await
    }

    async fn serve(
        address: SocketAddr,
        certificates: &Certificates,
        reads_body: bool,
        script: impl Fn(&Received) -> Action + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            blackholed: Arc::default(),
            unready: Arc::default(),
            killed: CancellationToken::new(),
        };
        let serve = Serve {
            tls: acceptor(certificates),
            reads_body,
            received: Arc::clone(&fake.received),
            blackholed: Arc::clone(&fake.blackholed),
            unready: Arc::clone(&fake.unready),
            script: Arc::new(script),
        };
        let (killed, serve) = (fake.killed.clone(), Arc::new(serve));
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(Ok((tcp, _))) = killed.run_until_cancelled(listener.accept()).await {
                let serve = Arc::clone(&serve);
                connections.spawn(async move { serve.connection(tcp).await });
            }
        });
        fake
    }

    /// Closes all connections and the listening socket.
    pub(super) async fn kill(&self) {
        self.killed.cancel();
        while TcpStream::connect(self.address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for FakeEndpoint {
    fn drop(&mut self) {
        self.killed.cancel();
    }
}

struct Serve {
    tls: TlsAcceptor,
    /// Whether requests are read to their end before the response.
    reads_body: bool,
    received: Arc<Mutex<Vec<Received>>>,
    blackholed: Arc<AtomicBool>,
    unready: Arc<AtomicBool>,
    script: Script,
}

impl Serve {
    async fn connection(&self, tcp: TcpStream) -> Option<()> {
        let mut stream = self.tls.accept(tcp).await.ok()?;
        for index in 0.. {
            let request = read(&mut stream, index, self.reads_body).await?;
            if self.blackholed.load(Relaxed) {
                return std::future::pending().await;
            }
            let action = if request.head.starts_with("GET /readyz ") {
                Action::Respond(if self.unready.load(Relaxed) {
                    ok("no").replace("200 OK", "503 Service Unavailable")
                } else {
                    ok("ready")
                })
            } else {
                self.received.lock().unwrap().push(request.clone());
                (self.script)(&request)
            };
            match action {
                Action::Close => break,
                Action::CloseAfter(delay) => {
                    sleep(delay).await;
                    break;
                }
                Action::Hang => return std::future::pending().await,
                Action::RespondAndHang(text) => {
                    stream.write_all(text.as_bytes()).await.ok()?;
                    return std::future::pending().await;
                }
                Action::Respond(text) => stream.write_all(text.as_bytes()).await.ok()?,
                Action::RespondAfter(delay, text) => {
                    sleep(delay).await;
                    stream.write_all(text.as_bytes()).await.ok()?;
                }
                Action::RespondAndClose(text) => {
                    stream.write_all(text.as_bytes()).await.ok()?;
                    stream.shutdown().await.ok()?;
                    break;
                }
            }
        }
        Some(())
    }
}

/// Reads a request: the head, and the whole body or the received part of it.
async fn read(
    stream: &mut TlsStream<TcpStream>,
    index: usize,
    reads_body: bool,
) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            let chunked = head.contains("transfer-encoding: chunked");
            let ended = body.len() >= length && (!chunked || body.ends_with("0\r\n\r\n"));
            if ended || !reads_body {
                let (head, body) = (head.to_owned(), body.to_owned());
                return Some(Received { head, body, index });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    let files = certificates.identity("internal/app");
    let chain = CertificateDer::pem_file_iter(files.certificate).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            chain.map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(files.key).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// An upstream pool without an edge.
#[derive(Clone)]
pub(super) struct TestPool {
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) counters: Arc<UpstreamCounters>,
}

pub(super) type Body = BoxBody<Bytes, BodyError>;

pub(super) fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

impl TestPool {
    pub(super) fn start(certificates: &Certificates, endpoints: &[&FakeEndpoint]) -> Self {
        Self::with_limits(certificates, endpoints, UpstreamLimits::default())
    }

    pub(super) fn with_limits(
        certificates: &Certificates,
        endpoints: &[&FakeEndpoint],
        limits: UpstreamLimits,
    ) -> Self {
        let entries = endpoints
            .iter()
            .map(|endpoint| endpoint.address.to_string().parse().unwrap());
        Self::with_source(certificates, Source::Fixed(entries.collect()), limits)
    }

    pub(super) fn with_source(
        certificates: &Certificates,
        source: Source,
        limits: UpstreamLimits,
    ) -> Self {
        let counters = Arc::<UpstreamCounters>::default();
        let (host, tls) = ("app.internal".parse().unwrap(), mutual_client(certificates));
        let upstreams = Upstreams::start(source, host, tls, limits, Arc::clone(&counters)).unwrap();
        Self {
            upstreams: Arc::new(upstreams),
            counters,
        }
    }

    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let (head, mut body): (request::Parts, Body) = request.into_parts();
        self.upstreams.send(&head, &mut body).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<(u16, String), UpstreamError> {
        self.request(Request::get(path).body(text("")).unwrap())
            .await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &str,
    ) -> Result<(u16, String), UpstreamError> {
        self.request(Request::post(path).body(text(body.to_owned())).unwrap())
            .await
    }

    /// Sends a request, and returns the status and the body of the response.
    pub(super) async fn request(
        &self,
        request: Request<Body>,
    ) -> Result<(u16, String), UpstreamError> {
        let response = timeout(Duration::from_secs(20), self.send(request))
            .await
            .unwrap()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok((
            head.status.as_u16(),
            String::from_utf8(body.to_vec()).unwrap(),
        ))
    }

    /// Waits until this number of endpoints gets requests, and one is ready if there is any.
    pub(super) async fn wait_for(&self, endpoints: usize) {
        let up = || {
            let states = self.upstreams.states();
            states.iter().filter(|(_, up)| *up).count()
        };
        let wait = async {
            while up() != endpoints || self.upstreams.is_any_ready() != (endpoints > 0) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "{} endpoints", up());
    }
}
