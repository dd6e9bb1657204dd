//! Tests of the edge with one or more endpoints, as a client observes them.

mod fake;
mod faults;
mod lists;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio::time::timeout;

use fake::Action;
use fake::FakeEndpoint;
use fake::ok;

use super::stack::Certificates;
use super::stack::FakeApp;
use super::stack::TestEdge;
use super::stack::status;

#[tokio::test]
async fn an_endpoint_with_another_identity_gets_no_request() {
    let certificates = Certificates::issue();
    for name in ["internal/kms", "internal/db", "public/web"] {
        let app = FakeApp::start(&certificates, name).await;
        let web = TestEdge::start(&certificates, &[app.address]).await;
        let response = web.get("/patients").await;
        assert_eq!(status(&response), "503", "{name}");
        assert!(response.contains("retry-after: 2"), "{response}");
        assert!(app.received().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn two_endpoints_share_the_requests() {
    let certificates = Certificates::issue();
    let first = FakeApp::start(&certificates, "internal/app").await;
    let second = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[first.address, second.address]).await;
    for _ in 0..10 {
        assert_eq!(status(&web.get("/patients").await), "200");
    }
    assert!(!first.received().is_empty() && !second.received().is_empty());
    assert_eq!(first.received().len() + second.received().len(), 10);
}

#[tokio::test]
async fn a_get_is_retried_after_a_lost_connection_and_a_post_is_not() {
    let certificates = Certificates::issue();
    // Responds to the first request of a connection, and closes it at the second.
    let app = FakeEndpoint::start(&certificates, |request| match request.index {
        0 => Action::Respond(ok("served")),
        _ => Action::Close,
    })
    .await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let (mut served, mut lost) = (0, 0);
    for number in 0..20 {
        assert_eq!(status(&web.get("/patients").await), "200");
        let response = web
            .request("POST /sign-in", "", &format!("<{number}>"))
            .await;
        match status(&response) {
            "200" => served += 1,
            "502" => lost += 1,
            _ => panic!("{response}"),
        }
    }
    assert!(lost > 0);
    let received = app.received();
    let posts = received
        .iter()
        .filter(|request| request.head.starts_with("POST"));
    assert_eq!(posts.count(), served + lost);
}

#[tokio::test]
async fn an_early_response_ends_an_upload() {
    let certificates = Certificates::issue();
    let app = FakeEndpoint::start_impatient(&certificates, |request| {
        assert!(request.head.starts_with("POST /fhir "));
        Action::RespondAndHang(ok("enough"))
    })
    .await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    let io = TokioIo::new(web.connect("h2").await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let upload = Arc::new(());
    let held = Arc::clone(&upload);
    let endless = futures::stream::repeat_with(move || {
        drop(Arc::clone(&held));
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1024])))
    });
    let body = StreamBody::new(endless);
    let request = http::Request::post("https://localhost:8443/fhir")
        .header("content-type", "application/fhir+json")
        .body(body)
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response.into_body().collect().await);
    // The client drops the body once the stream is reset.
    let ended = async {
        while Arc::strong_count(&upload) > 1 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), ended).await.is_ok());
}
