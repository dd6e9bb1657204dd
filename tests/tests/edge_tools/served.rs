//! An edge under load, and what of it reaches the apps.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::TcpListener;

use bytes::Bytes;
use http::Method;
use http::Request;
use https_client::HttpsClient;
use tests::Outcome;
use tests::edge::Edge;
use tests::edge::Message;
use tests::edge::Plan;
use tests::edge::Wire;

/// The way to an edge.
pub(super) fn front_door(edge: &Edge) -> HttpsClient {
    HttpsClient::new(edge.web.port, &edge.certificates.path("public/ca.pem")).unwrap()
}

/// An edge that lets any load of one client through, and so many connections of one: what ends them is
/// not their number.
pub(super) fn plan(origins: usize) -> Plan {
    Plan::of(origins)
        .host("localhost")
        .variable("WEB_CONNECTIONS_PER_CLIENT", "5000")
        .without_rate_limits()
}

/// A port that nobody listens on at this moment, for the edge's metrics.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A metric of an edge: `name{label="value"}` as it stands in the text that a port gives.
pub(super) async fn metric(port: u16, name: &str) -> u64 {
    let mut wire = Wire::plain(port).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    wire.send(request.as_bytes()).await.unwrap();
    let text = wire.answer("GET").await.unwrap().1.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.trim().parse().unwrap()
}

/// A request that is told apart from every other one: each fourth is a `POST`.
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

/// No client noticed anything.
pub(super) fn assert_no_failure(outcome: &Outcome) {
    let some: Vec<_> = outcome.failures.iter().take(5).collect();
    let (failed, answered) = (outcome.failures.len(), outcome.answers.len());
    assert!(some.is_empty(), "{failed} of {answered} failed: {some:?}");
    assert!(answered > 100, "{answered}");
}

/// What reached the apps.
#[derive(Debug, Default)]
pub(super) struct Executed {
    posts: BTreeMap<String, usize>,
    gets: BTreeMap<String, usize>,
}

impl Executed {
    /// Adds what came since the last time; gives how many requests came to each app.
    pub(super) fn more(&mut self, edge: &Edge) -> Vec<usize> {
        let all = edge.origins.iter().map(|origin| origin.take().messages);
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

    /// No `POST` reached an app a second time.
    pub(super) fn assert_no_post_twice(&self) {
        let twice: Vec<_> = self.posts.iter().filter(|(_, times)| **times > 1).collect();
        assert!(!self.posts.is_empty() && twice.is_empty(), "{twice:?}");
    }

    /// How many requests came again, of how many.
    pub(super) fn repeated(&self) -> (usize, usize) {
        let all: usize = self.posts.values().chain(self.gets.values()).sum();
        let once = self.posts.len() + self.gets.len();
        (all - once, once)
    }
}
