//! Tests of forwarded requests and their responses.

use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio::time::timeout;

use super::stack::Certificates;
use super::stack::FakeApp;
use super::stack::TestEdge;
use super::stack::status;

#[tokio::test]
async fn a_request_and_its_response_are_forwarded() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let response = web
        .request("POST /fhir/Patient/_search", "", "family=Archer")
        .await;
    assert_eq!(status(&response), "200");
    assert!(response.ends_with("response 1"), "{response}");
    let received = &app.received()[0];
    assert_eq!(
        (received.method.as_str(), received.path.as_str()),
        ("POST", "/fhir/Patient/_search")
    );
    assert_eq!(received.body, b"family=Archer");
    assert_eq!(received.headers["host"], "app.internal");
    assert_eq!(received.headers["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn forged_and_hop_by_hop_headers_are_not_forwarded() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let forged = "x-forwarded-for: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\
                  forwarded: for=6.6.6.6\r\nx-request-id: forged\r\nx-user: admin\r\n\
                  keep-alive: timeout=5\r\nte: trailers\r\nx-listed: 1\r\n\
                  traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    let response = web.request("GET /patients", forged, "").await;
    let received = &app.received()[0].headers;
    assert_eq!(received["x-forwarded-for"], "127.0.0.1");
    for name in [
        "forwarded",
        "x-user",
        "keep-alive",
        "te",
        "x-listed",
        "connection",
    ] {
        assert!(!received.contains_key(name), "{name}");
    }
    let id = received["x-request-id"].to_str().unwrap();
    assert_ne!(id, "forged");
    assert!(
        response.contains(&format!("x-request-id: {id}")),
        "{response}"
    );
    assert!(
        received["traceparent"]
            .to_str()
            .unwrap()
            .contains(&id.replace('-', ""))
    );
    assert!(
        !response.contains("app/1.0") && response.contains("strict-transport-security: max-age")
    );
}

#[tokio::test]
async fn an_http2_request_is_forwarded_over_http1() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let io = TokioIo::new(web.connect("h2").await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost:8443/patients?page=2")
        .header("cookie", "a=1")
        .header("cookie", "__Host-session=2")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let received = &app.received()[0];
    assert_eq!(received.path, "/patients?page=2");
    assert_eq!(received.headers["cookie"], "__Host-session=2");
    assert_eq!(received.headers["host"], "app.internal");
}

#[tokio::test]
async fn healthz_reports_the_edge_and_readyz_the_app() {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    assert_eq!(status(&web.get("/healthz").await), "200");
    // The app is probed every second, so a change of its state is noticed after a moment.
    wait_for_readiness(&web, "200").await;
    app.shutdown.cancel();
    wait_for_readiness(&web, "503").await;
    assert_eq!(status(&web.get("/healthz").await), "200");
}

async fn wait_for_readiness(web: &TestEdge, expected: &str) {
    let reached = async {
        while status(&web.get("/readyz").await) != expected {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(10), reached).await.is_ok(),
        "{expected}"
    );
}
