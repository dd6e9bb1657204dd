//! An edge under load, and the requests that reach its origins.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::TcpListener;

use bytes::Bytes;
use http::Method;
use http::Request;
use https_client::HttpsClient;
use tests::LoadReport;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::Message;
use tests::edge::RawConnection;

/// An HTTPS client of an edge.
pub(super) fn front_door(edge: &Edge) -> HttpsClient {
    HttpsClient::new(edge.web.port, &edge.certificates.path("public/ca.pem")).unwrap()
}

/// An edge whose limits of rates and connections do not apply to a load from one client.
pub(super) fn builder(origins: usize) -> EdgeBuilder {
    EdgeBuilder::with_origins(origins)
        .host("localhost")
        .variable("WEB_CONNECTIONS_PER_CLIENT", "5000")
        .without_rate_limits()
}

/// A port for web's metrics that was free at the time of the call.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The value of a metric, `name{label="value"}`, at a metrics port.
pub(super) async fn metric(port: u16, name: &str) -> u64 {
    let mut connection = RawConnection::plaintext(port).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    connection.send(request.as_bytes()).await.unwrap();
    let text = connection.response("GET").await.unwrap().1.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.trim().parse().unwrap()
}

/// A request with a unique id: each fourth is a `POST`.
pub(super) fn request(number: usize) -> Request<Bytes> {
    let request = Request::builder();
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    let request = if number.is_multiple_of(4) {
        let body = format!(r#"{{"resourceType":"Bundle","type":"transaction","id":"{id}"}}"#);
        let request = request.method(Method::POST).uri("/fhir");
        request
            .header("content-type", "application/fhir+json")
            .body(Bytes::from(body))
    } else {
        request
            .uri(format!("/fhir/Patient/{id}"))
            .body(Bytes::new())
    };
    request.unwrap()
}

/// Asserts that no client noticed a failure.
pub(super) fn assert_no_failure(outcome: &LoadReport) {
    let some: Vec<_> = outcome.failures.iter().take(5).collect();
    let (failed, responses) = (outcome.failures.len(), outcome.responses.len());
    assert!(some.is_empty(), "{failed} of {responses} failed: {some:?}");
    assert!(responses > 100, "{responses}");
}

/// The requests that reached the origins, by id.
#[derive(Debug, Default)]
pub(super) struct Executed {
    posts: BTreeMap<String, usize>,
    gets: BTreeMap<String, usize>,
}

impl Executed {
    /// Adds the requests since the last call, and returns their number for each origin.
    pub(super) fn add_new(&mut self, edge: &Edge) -> Vec<usize> {
        let all = edge
            .origins
            .iter()
            .map(|origin| origin.take_record().messages);
        let count = |messages: Vec<Message>| {
            for message in &messages {
                let (counts, id) = if message.method() == "POST" {
                    (
                        &mut self.posts,
                        String::from_utf8(message.body.clone()).unwrap(),
                    )
                } else {
                    (&mut self.gets, message.target().to_owned())
                };
                *counts.entry(id).or_insert(0) += 1;
            }
            messages.len()
        };
        all.map(count).collect()
    }

    /// Asserts that no `POST` reached an origin twice.
    pub(super) fn assert_no_post_twice(&self) {
        let twice: Vec<_> = self.posts.iter().filter(|(_, times)| **times > 1).collect();
        assert!(!self.posts.is_empty() && twice.is_empty(), "{twice:?}");
    }

    /// The number of repeated requests, and the number of different ones.
    pub(super) fn repeated(&self) -> (usize, usize) {
        let all: usize = self.posts.values().chain(self.gets.values()).sum();
        let once = self.posts.len() + self.gets.len();
        (all - once, once)
    }
}
