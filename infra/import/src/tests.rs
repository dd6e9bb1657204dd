//! The importer against a TLS server of the tests, which fails on demand.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use certs::IdentityFiles;
use certs::PublicServer;
use certs::Versions;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Incoming;
use listener::Established;
use listener::Http1;
use listener::Limits;
use listener::Protocol;
use listener::Rejected;
use listener::Transport;
use listener::serve;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::*;

/// The state of the test server, with the failures it is to simulate.
#[derive(Default)]
struct ServerState {
    stored: BTreeMap<String, Value>,
    /// The number of transactions received.
    transactions: usize,
    /// The number of further transactions to refuse with 503.
    unavailable_for: usize,
    /// The URL of the entry to refuse.
    refuses: Option<String>,
    /// The number of transactions after which all are refused with 500.
    fails_after: Option<usize>,
    /// The number of tokens issued; only the last one is valid.
    tokens: usize,
    /// The transaction at which the valid token expires.
    expires_token_at: Option<usize>,
}

/// TLS without client certificates, and only HTTP/1.1, which [`Http1`] serves.
struct PublicTransport(PublicServer);

impl Transport for PublicTransport {
    type Stream = TlsStream<TcpStream>;

    async fn establish(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Established<Self::Stream>, Rejected> {
        let mut config = (*self.0.config()).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
        Ok(Established {
            stream,
            protocol: Protocol::Http1,
            peer: None,
            address,
            valid_for: None,
        })
    }
}

struct TestServer {
    state: Arc<Mutex<ServerState>>,
    folder: tempfile::TempDir,
    port: u16,
    _running: DropGuard,
}

impl TestServer {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = folder.path().join("certs");
        #[expect(clippy::disallowed_methods, reason = "certificates need the date")]
        let settings = dev_ca::Settings::new(certificates.clone(), OffsetDateTime::now_utc());
        dev_ca::development(&settings).unwrap();
        let files = IdentityFiles {
            certificate: certificates.join("public/web.pem"),
            key: certificates.join("public/web.key"),
        };
        let transport = PublicTransport(PublicServer::reloading(files, Versions::Tls13).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(ServerState::default()));
        let service = tower::service_fn({
            let state = Arc::clone(&state);
            move |request| response(Arc::clone(&state), request)
        });
        let end = CancellationToken::new();
        tokio::spawn(serve(
            listener,
            transport,
            Http1(service),
            Limits::internal(),
            end.clone(),
        ));
        Self {
            state,
            folder,
            port,
            _running: end.drop_guard(),
        }
    }

    fn importer(&self) -> Importer {
        let authority = self.folder.path().join("certs/public/ca.pem");
        Importer::new(
            HttpsClient::new(self.port, &authority).unwrap(),
            Credentials {
                email: "a@riverside.example".to_owned(),
                password: "p".to_owned(),
            },
            self.folder.path().join("import"),
            Progress::hidden(),
        )
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("bundle.json");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut ServerState) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }
}

async fn response(
    state: Arc<Mutex<ServerState>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let token = request.headers().get("authorization").cloned();
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, value) = state.lock().unwrap().decide(&path, token.as_ref(), &body);
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    Ok(response)
}

impl ServerState {
    fn decide(
        &mut self,
        path: &str,
        token: Option<&http::HeaderValue>,
        body: &[u8],
    ) -> (StatusCode, Value) {
        if path == "/api/v1/tokens" {
            self.tokens += 1;
            return (
                StatusCode::CREATED,
                json!({"token": format!("t{}", self.tokens)}),
            );
        }
        self.transactions += 1;
        if self.expires_token_at == Some(self.transactions) {
            self.tokens += 1;
        }
        if token.unwrap().to_str().unwrap() != format!("Bearer t{}", self.tokens) {
            return (StatusCode::UNAUTHORIZED, json!({}));
        }
        if self.unavailable_for > 0 {
            self.unavailable_for -= 1;
            return (StatusCode::SERVICE_UNAVAILABLE, json!({}));
        }
        if self.fails_after.is_some_and(|end| self.transactions > end) {
            return (StatusCode::INTERNAL_SERVER_ERROR, json!({}));
        }
        let bundle: Value = serde_json::from_slice(body).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let url = |entry: &Value| entry["request"]["url"].as_str().unwrap().to_owned();
        if entries.iter().any(|entry| Some(url(entry)) == self.refuses) {
            let issue = json!({"diagnostics": "no such code", "expression": ["Bundle.entry[0]"]});
            return (StatusCode::UNPROCESSABLE_ENTITY, json!({"issue": [issue]}));
        }
        for entry in entries {
            let patient = entry
                .pointer("/resource/subject/reference")
                .and_then(Value::as_str);
            assert!(
                patient.is_none_or(|patient| self.stored.contains_key(patient)),
                "{patient:?}"
            );
            self.stored.insert(url(entry), entry["resource"].clone());
        }
        (StatusCode::OK, json!({"resourceType": "Bundle"}))
    }
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Observations before their patient, an unsupported type, and a patient at the very end.
fn bundle(observations: usize) -> String {
    let entry = |number: usize, resource: Value| json!({"fullUrl": format!("urn:uuid:{}", id(number)), "resource": resource});
    let mut entries: Vec<Value> = (1..=observations)
        .map(|number| {
            let subject = json!({"reference": format!("urn:uuid:{}", id(0))});
            entry(
                number,
                json!({"resourceType": "Observation", "id": id(number), "subject": subject}),
            )
        })
        .collect();
    entries.push(entry(
        9000,
        json!({"resourceType": "Claim", "id": id(9000)}),
    ));
    entries.push(entry(0, json!({"resourceType": "Patient", "id": id(0)})));
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
}

async fn import(server: &TestServer, file: &Path) -> anyhow::Result<Report> {
    server.importer().import(file).await
}

#[tokio::test]
async fn patients_go_first_and_unsupported_types_are_counted() {
    let server = TestServer::start().await;
    let report = import(&server, &server.write(&bundle(250))).await.unwrap();
    assert_eq!(report.total_sent(), 251);
    assert_eq!(report.skipped, BTreeMap::from([("Claim".to_owned(), 1)]));
    assert_eq!(
        server.with_state(|state| (state.stored.len(), state.transactions)),
        (251, 4)
    );
}

#[tokio::test]
async fn a_refused_entry_is_reported_with_its_position_and_the_others_are_stored() {
    let server = TestServer::start().await;
    server.with_state(|state| state.refuses = Some(format!("Observation/{}", id(42))));
    let file = server.write(&bundle(120));
    let report = import(&server, &file).await.unwrap();
    assert_eq!(report.total_sent(), 120);
    let [refusal] = report.refused.as_slice() else {
        panic!("{:?}", report.refused)
    };
    assert_eq!(
        (refusal.place.entry, refusal.reason.as_str()),
        (41, "no such code (entry)")
    );
    server.with_state(|state| state.refuses = None);
    assert_eq!(import(&server, &file).await.unwrap().refused.len(), 0);
    assert_eq!(server.with_state(|state| state.stored.len()), 121);
}

#[tokio::test]
async fn an_unavailable_stack_is_retried() {
    let server = TestServer::start().await;
    server.with_state(|state| state.unavailable_for = 3);
    let report = import(&server, &server.write(&bundle(10))).await.unwrap();
    assert_eq!(report.total_sent(), 11);
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let server = TestServer::start().await;
    server.with_state(|state| state.expires_token_at = Some(2));
    let report = import(&server, &server.write(&bundle(10))).await.unwrap();
    assert_eq!(report.total_sent(), 11);
}

#[tokio::test]
async fn an_interrupted_import_resumes() {
    let server = TestServer::start().await;
    let file = server.write(&bundle(500));
    server.with_state(|state| state.fails_after = Some(3));
    let error = import(&server, &file).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("run the same command again"),
        "{error:#}"
    );
    server.with_state(|state| state.fails_after = None);
    let report = import(&server, &file).await.unwrap();
    assert!(
        report.already["Patient"] == 1 && report.total_sent() < 500,
        "{report}"
    );
    assert_eq!(server.with_state(|state| state.stored.len()), 501);
    let again = import(&server, &file).await.unwrap();
    assert!(again.is_empty(), "{again}");
}
