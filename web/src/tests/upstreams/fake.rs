//! An app that does what a test wants of it, and apps that are asked without an edge in front.

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

/// What an app does with a request.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// It writes this.
    Answer(String),
    /// It writes this, and closes.
    Last(String),
    /// It closes.
    Close,
    /// It reads nothing any more.
    Hang,
    /// It writes this, and reads nothing any more.
    Early(String),
    /// It writes this, after a while.
    Later(Duration, String),
}

/// An answer with a body of known length.
pub(super) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request as an app got it.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: String,
    /// How many came on this connection before.
    pub(super) nth: usize,
}

/// An app, until it is dropped or killed.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    /// What came, but for questions of readiness.
    got: Arc<Mutex<Vec<Got>>>,
    /// It accepts, and never answers anything.
    pub(super) blackholed: Arc<AtomicBool>,
    /// It says that it is not ready.
    pub(super) unready: Arc<AtomicBool>,
    killed: CancellationToken,
}

type Answers = Arc<dyn Fn(&Got) -> Then + Send + Sync>;

impl Fake {
    pub(super) async fn start(
        certificates: &Certificates,
        answers: impl Fn(&Got) -> Then + Send + Sync + 'static,
    ) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::start_at(address, certificates, answers).await
    }

    /// One that does not wait for a request's body.
    pub(super) async fn hasty(
        certificates: &Certificates,
        answers: impl Fn(&Got) -> Then + Send + Sync + 'static,
    ) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::serve(address, certificates, false, answers).await
    }

    pub(super) async fn start_at(
        address: SocketAddr,
        certificates: &Certificates,
        answers: impl Fn(&Got) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::serve(address, certificates, true, answers).await
    }

    async fn serve(
        address: SocketAddr,
        certificates: &Certificates,
        whole: bool,
        answers: impl Fn(&Got) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            blackholed: Arc::default(),
            unready: Arc::default(),
            killed: CancellationToken::new(),
        };
        let serve = Serve {
            tls: acceptor(certificates),
            whole,
            got: Arc::clone(&fake.got),
            blackholed: Arc::clone(&fake.blackholed),
            unready: Arc::clone(&fake.unready),
            answers: Arc::new(answers),
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

    /// Cuts all connections, and lets go of the port.
    pub(super) async fn kill(&self) {
        self.killed.cancel();
        while TcpStream::connect(self.address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.killed.cancel();
    }
}

struct Serve {
    tls: TlsAcceptor,
    /// It reads requests to their end before it answers.
    whole: bool,
    got: Arc<Mutex<Vec<Got>>>,
    blackholed: Arc<AtomicBool>,
    unready: Arc<AtomicBool>,
    answers: Answers,
}

impl Serve {
    async fn connection(&self, tcp: TcpStream) -> Option<()> {
        let mut stream = self.tls.accept(tcp).await.ok()?;
        for nth in 0.. {
            let got = read(&mut stream, nth, self.whole).await?;
            if self.blackholed.load(Relaxed) {
                return std::future::pending().await;
            }
            let then = if got.head.starts_with("GET /readyz ") {
                Then::Answer(if self.unready.load(Relaxed) {
                    ok("no").replace("200 OK", "503 Service Unavailable")
                } else {
                    ok("ready")
                })
            } else {
                self.got.lock().unwrap().push(got.clone());
                (self.answers)(&got)
            };
            match then {
                Then::Close => break,
                Then::Hang => return std::future::pending().await,
                Then::Early(text) => {
                    stream.write_all(text.as_bytes()).await.ok()?;
                    return std::future::pending().await;
                }
                Then::Answer(text) => stream.write_all(text.as_bytes()).await.ok()?,
                Then::Later(after, text) => {
                    sleep(after).await;
                    stream.write_all(text.as_bytes()).await.ok()?;
                }
                Then::Last(text) => {
                    stream.write_all(text.as_bytes()).await.ok()?;
                    stream.shutdown().await.ok()?;
                    break;
                }
            }
        }
        Some(())
    }
}

/// A request: its head, and its `whole` body or what has come of it.
async fn read(stream: &mut TlsStream<TcpStream>, nth: usize, whole: bool) -> Option<Got> {
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
            if ended || !whole {
                let (head, body) = (head.to_owned(), body.to_owned());
                return Some(Got { head, body, nth });
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

/// Apps, asked directly.
#[derive(Clone)]
pub(super) struct Apps {
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) counters: Arc<UpstreamCounters>,
}

pub(super) type Body = BoxBody<Bytes, BodyError>;

pub(super) fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

impl Apps {
    pub(super) fn start(certificates: &Certificates, apps: &[&Fake]) -> Self {
        Self::with(certificates, apps, UpstreamLimits::default())
    }

    pub(super) fn with(
        certificates: &Certificates,
        apps: &[&Fake],
        limits: UpstreamLimits,
    ) -> Self {
        let entries = apps
            .iter()
            .map(|app| app.address.to_string().parse().unwrap());
        Self::of(certificates, Source::Fixed(entries.collect()), limits)
    }

    pub(super) fn of(certificates: &Certificates, source: Source, limits: UpstreamLimits) -> Self {
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
        self.ask(Request::get(path).body(text("")).unwrap()).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &str,
    ) -> Result<(u16, String), UpstreamError> {
        self.ask(Request::post(path).body(text(body.to_owned())).unwrap())
            .await
    }

    /// Status and body of an answer, which comes in time.
    pub(super) async fn ask(&self, request: Request<Body>) -> Result<(u16, String), UpstreamError> {
        let answer = timeout(Duration::from_secs(20), self.send(request))
            .await
            .unwrap()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok((
            head.status.as_u16(),
            String::from_utf8(body.to_vec()).unwrap(),
        ))
    }

    /// Waits until so many apps are asked, and the edge is ready if there is one.
    pub(super) async fn wait_for(&self, apps: usize) {
        let asked = || {
            let states = self.upstreams.states();
            states.iter().filter(|(_, asked)| *asked).count()
        };
        let wait = async {
            while asked() != apps || self.upstreams.is_any_ready() != (apps > 0) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "{} apps", asked());
    }
}
