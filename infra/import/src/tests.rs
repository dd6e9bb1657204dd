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
    /// The number of Bundles received.
    transactions: usize,
    /// The number of further transactions to refuse with 503.
    unavailable_for: usize,
    /// The number of Bundles received as a batch.
    batches: usize,
    /// The URLs received in requests that were not refused as a whole.
    received: Vec<String>,
    /// The URL of the entry to refuse, and the status.
    refuses: Option<(String, u16)>,
    /// The status of all Bundles, transactions and batches.
    refuses_all: Option<u16>,
    /// The URL of an entry for which the server is unavailable, in a number of batches.
    unavailable_entry: Option<(String, usize)>,
    /// The number of Bundles after which no token is valid.
    revokes_tokens_after: Option<usize>,
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
                totp: None,
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
        if self
            .revokes_tokens_after
            .is_some_and(|end| self.transactions > end)
        {
            return (StatusCode::UNAUTHORIZED, json!({}));
        }
        if token.unwrap().to_str().unwrap() != format!("Bearer t{}", self.tokens) {
            return (StatusCode::UNAUTHORIZED, json!({}));
        }
        if self.unavailable_for > 0 {
            self.unavailable_for -= 1;
            return (StatusCode::SERVICE_UNAVAILABLE, json!({}));
        }
        if let Some(status) = self.refuses_all {
            return (StatusCode::from_u16(status).unwrap(), json!({}));
        }
        let bundle: Value = serde_json::from_slice(body).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        if bundle["type"] == "batch" {
            self.batches += 1;
            let responses: Vec<Value> = entries
                .iter()
                .map(|entry| self.batch_entry(entry))
                .collect();
            return (
                StatusCode::OK,
                json!({"resourceType": "Bundle", "entry": responses}),
            );
        }
        if let Some(status) = entries.iter().find_map(|entry| self.refusal(entry)) {
            let issue = json!({"diagnostics": "no such code", "expression": ["Bundle.entry[0]"]});
            return (
                StatusCode::from_u16(status).unwrap(),
                json!({"issue": [issue]}),
            );
        }
        for entry in entries {
            self.store(entry);
        }
        (StatusCode::OK, json!({"resourceType": "Bundle"}))
    }

    fn refusal(&self, entry: &Value) -> Option<u16> {
        let (url, status) = self.refuses.as_ref()?;
        (entry["request"]["url"] == url.as_str()).then_some(*status)
    }

    fn batch_entry(&mut self, entry: &Value) -> Value {
        let response = |status: String| {
            json!({"response": {"status": status, "outcome": {
            "issue": [{"diagnostics": "no such code", "expression": ["Bundle.entry[7].resource"]}]}}})
        };
        if let Some((url, times)) = &mut self.unavailable_entry
            && entry["request"]["url"] == url.as_str()
            && *times > 0
        {
            *times -= 1;
            return response("503 Service Unavailable".to_owned());
        }
        if let Some(status) = self.refusal(entry) {
            return response(format!("{status} x"));
        }
        self.store(entry);
        json!({"response": {"status": "200 OK"}})
    }

    fn store(&mut self, entry: &Value) {
        let patient = entry.pointer("/resource/subject/reference");
        let patient = patient.and_then(Value::as_str);
        assert!(
            patient.is_none_or(|patient| self.stored.contains_key(patient)),
            "{patient:?}"
        );
        let url = entry["request"]["url"].as_str().unwrap().to_owned();
        self.received.push(url.clone());
        self.stored.insert(url, entry["resource"].clone());
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
        json!({"resourceType": "Parameters", "id": id(9000)}),
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
    assert_eq!(
        report.skipped,
        BTreeMap::from([("Parameters".to_owned(), 1)])
    );
    assert_eq!(
        server.with_state(|state| (state.stored.len(), state.transactions)),
        (251, 4)
    );
}

#[tokio::test]
async fn a_refused_entry_is_reported_whatever_its_status_and_the_others_are_stored() {
    for status in [400, 403, 404, 409, 412, 413, 422, 500, 501, 302] {
        let server = TestServer::start().await;
        server
            .with_state(|state| state.refuses = Some((format!("Observation/{}", id(42)), status)));
        let file = server.write(&bundle(120));
        let report = import(&server, &file).await.unwrap();
        assert_eq!(report.total_sent(), 120);
        let [refusal] = report.refused.as_slice() else {
            panic!("{:?}", report.refused)
        };
        assert_eq!(
            (refusal.place.entry, refusal.status, refusal.reason.as_str()),
            (41, Some(status), "no such code (entry.resource)")
        );
        assert_eq!(refusal.file.as_deref(), Some(file.as_path()));
        assert_eq!(server.with_state(|state| state.batches), 1);
        // Only what was refused is tried again.
        server.with_state(|state| state.received.clear());
        assert_eq!(import(&server, &file).await.unwrap().refused.len(), 1);
        server.with_state(|state| state.refuses = None);
        let report = import(&server, &file).await.unwrap();
        assert!(report.refused.is_empty(), "{report}");
        assert_eq!(
            (report.total_sent(), report.already["Observation"]),
            (1, 119)
        );
        let received = server.with_state(|state| std::mem::take(&mut state.received));
        assert_eq!(received, [format!("Observation/{}", id(42))]);
        assert!(import(&server, &file).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_file_of_which_everything_is_refused_takes_two_requests_for_each_resource_at_most() {
    let server = TestServer::start().await;
    let file = server.write(&bundle(120));
    server.with_state(|state| state.refuses_all = Some(500));
    let report = import(&server, &file).await.unwrap();
    assert_eq!((report.refused.len(), report.total_sent()), (121, 0));
    let requests = server.with_state(|state| state.transactions);
    assert!(requests <= 2 * 121, "{requests}");
    server.with_state(|state| state.refuses_all = None);
    assert_eq!(import(&server, &file).await.unwrap().total_sent(), 121);
}

#[tokio::test]
async fn an_account_that_may_not_write_ends_the_import() {
    let server = TestServer::start().await;
    server.with_state(|state| state.refuses_all = Some(403));
    let error = import(&server, &server.write(&bundle(10)))
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("may not import"), "{error:#}");
}

#[tokio::test]
async fn an_entry_for_which_the_stack_is_unavailable_is_sent_again() {
    let server = TestServer::start().await;
    server.with_state(|state| {
        state.refuses = Some((format!("Observation/{}", id(3)), 422));
        state.unavailable_entry = Some((format!("Observation/{}", id(4)), 2));
    });
    let report = import(&server, &server.write(&bundle(10))).await.unwrap();
    assert_eq!((report.total_sent(), report.refused.len()), (10, 1));
}

#[tokio::test]
async fn ids_that_are_no_uuids_are_refused_before_anything_is_sent_unless_they_are_mapped() {
    let server = TestServer::start().await;
    let entry = |resource: Value| {
        let url = format!(
            "https://h/fhir/{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        json!({"fullUrl": url, "resource": resource})
    };
    let patient = json!({"resourceType": "Patient", "id": "1234"});
    let observation = json!({"resourceType": "Observation", "id": "bp",
        "subject": {"reference": "Patient/1234"}});
    let entries = [entry(observation.clone()), entry(patient)];
    let file = server.write(&json!({"resourceType": "Bundle", "entry": entries}).to_string());
    let error = import(&server, &file).await.unwrap_err().to_string();
    assert!(
        error.contains("--map-ids") && !error.contains("1234"),
        "{error}"
    );
    assert_eq!(server.with_state(|state| state.transactions), 0);
    let mapping = |organization| {
        let folder = server.folder.path().join("import/ids");
        let mapping = IdMapping::open(&folder, organization, Some("https://h/fhir")).unwrap();
        Some(Arc::new(mapping))
    };
    let import = async |file: &Path, organization| {
        let importer = server
            .importer()
            .map_ids(mapping(organization))
            .resend_all(true);
        importer.import(file).await.unwrap()
    };
    assert_eq!(import(&file, "a").await.total_sent(), 2);
    assert_eq!(import(&file, "a").await.total_sent(), 2);
    // Another file of the same source has the same ids, another organization has others.
    let lines = server.folder.path().join("observations.ndjson");
    std::fs::write(&lines, observation.to_string()).unwrap();
    assert_eq!(import(&lines, "a").await.total_sent(), 1);
    let ids = |server: &TestServer| {
        server.with_state(|state| state.stored.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(ids(&server).len(), 2);
    assert!(
        ids(&server)
            .iter()
            .all(|id| !id.contains("1234") && !id.contains("bp"))
    );
    assert_eq!(import(&file, "b").await.total_sent(), 2);
    assert_eq!(ids(&server).len(), 4);
}

#[tokio::test]
async fn an_entry_with_a_condition_is_created_by_it_and_precedes_what_refers_to_it() {
    let server = TestServer::start().await;
    let condition = "identifier=https://s|1";
    let conditional = |name: &str, number| {
        json!({"fullUrl": format!("urn:uuid:{}", id(number)),
        "resource": {"resourceType": name, "id": id(number)},
        "request": {"method": "POST", "url": name, "ifNoneExist": condition}})
    };
    let role = json!({"fullUrl": format!("urn:uuid:{}", id(3)), "resource": {"resourceType": "Location", "id": id(3),
        "managingOrganization": {"reference": format!("urn:uuid:{}", id(1))},
        "partOf": {"reference": "Location?identifier=https://s|2"}}});
    let entries = [
        role,
        conditional("Practitioner", 2),
        conditional("Organization", 1),
    ];
    let file = server.write(&json!({"resourceType": "Bundle", "entry": entries}).to_string());
    assert_eq!(import(&server, &file).await.unwrap().total_sent(), 3);
    let location = format!("Location/{}", id(3));
    let received = server.with_state(|state| state.received.clone());
    assert_eq!(
        received,
        ["Organization", "Practitioner", location.as_str()]
    );
    let stored = server.with_state(|state| state.stored[&location].clone());
    assert_eq!(
        stored["managingOrganization"]["reference"],
        format!("Organization?{condition}")
    );
    assert_eq!(
        stored["partOf"]["reference"],
        "Location?identifier=https://s|2"
    );
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
    server.with_state(|state| state.revokes_tokens_after = Some(3));
    let error = import(&server, &file).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("run the same command again"),
        "{error:#}"
    );
    server.with_state(|state| state.revokes_tokens_after = None);
    let report = import(&server, &file).await.unwrap();
    assert!(
        report.already["Patient"] == 1 && report.total_sent() < 500,
        "{report}"
    );
    assert_eq!(server.with_state(|state| state.stored.len()), 501);
    let again = import(&server, &file).await.unwrap();
    assert!(again.is_empty(), "{again}");
}
