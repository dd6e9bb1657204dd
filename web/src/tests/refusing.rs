//! Tests of refused requests.

use super::stack::Certificates;
use super::stack::FORM;
use super::stack::FakeApp;
use super::stack::TestEdge;
use super::stack::status;

const HEAD: &str = "host: localhost:8443\r\nconnection: close\r\n";

#[tokio::test]
async fn phi_in_a_url_never_reaches_the_app() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let response = web.get("/fhir/Patient?family=Archer").await;
    assert_eq!(status(&response), "400");
    assert!(response.contains("application/fhir+json") && response.contains("OperationOutcome"));
    assert!(
        response.contains("_search") && !response.contains("Archer"),
        "{response}"
    );
    let response = web.get("/patients?q=Archer").await;
    assert_eq!(status(&response), "400");
    assert!(response.contains("application/problem+json") && !response.contains("Archer"));
    assert!(app.received().is_empty());
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_and_the_edge_keeps_serving() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    for head in [
        format!("CONNECT localhost:8443 HTTP/1.1\r\n{HEAD}\r\n"),
        format!("CONNECT app.internal:443 HTTP/1.1\r\n{HEAD}\r\n"),
        format!("OPTIONS * HTTP/1.1\r\n{HEAD}\r\n"),
        format!("TRACE / HTTP/1.1\r\n{HEAD}\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}host: localhost:8443\r\n\r\n"),
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n".to_owned(),
        format!("GET http://evil.example/ HTTP/1.1\r\n{HEAD}\r\n"),
        format!("GET / HTTP/1.0\r\n{HEAD}\r\n"),
        format!("GET /a/../b HTTP/1.1\r\n{HEAD}\r\n"),
        format!("GET /%2e%2e/b HTTP/1.1\r\n{HEAD}\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}upgrade: websocket\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}x_forwarded_for: 6.6.6.6\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}authorization: a\r\nauthorization: b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}content-length: 1\r\n\r\nx"),
        format!("POST / HTTP/1.1\r\n{HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
        format!("POST / HTTP/1.1\r\n{HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}folded: a\r\n b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{HEAD}space : a\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\n{HEAD}long: {}\r\n\r\n",
            "x".repeat(20_000)
        ),
        "\r\n\r\n\0\0\r\n\r\n".to_owned(),
    ] {
        let response = web.raw(&head).await;
        let status = status(&response);
        assert!(
            status.starts_with('4') || status == "505",
            "{head:?}: {response:?}"
        );
    }
    assert!(app.received().is_empty(), "{:?}", app.received());
    assert_eq!(status(&web.get("/").await), "200");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_its_length_or_while_it_is_read() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let declared = format!(
        "POST /fhir HTTP/1.1\r\n{HEAD}content-type: application/json\r\n\
         content-length: 50000000\r\n\r\n{{"
    );
    let response = web.raw(&declared).await;
    assert_eq!(status(&response), "413");
    assert!(response.contains("OperationOutcome"), "{response}");
    // 64 KiB in chunks, and then one byte more.
    let chunks = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(16);
    let head = format!("POST /sign-in HTTP/1.1\r\n{HEAD}{FORM}transfer-encoding: chunked\r\n\r\n");
    let chunked = head + &chunks;
    let fits = web.raw(format!("{chunked}0\r\n\r\n")).await;
    assert_eq!(status(&fits), "200");
    assert_eq!(app.received()[0].body.len(), 64 * 1024);
    let response = web.raw(format!("{chunked}1\r\nx\r\n0\r\n\r\n")).await;
    assert_eq!(status(&response), "413");
    assert_eq!(app.received().len(), 1);
}
