//! What a client notices of the apps.

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
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio::time::timeout;

use fake::Fake;
use fake::Then;
use fake::ok;

use super::stack::App;
use super::stack::Certificates;
use super::stack::Web;
use super::stack::status;

#[tokio::test]
async fn an_app_that_is_not_the_app_gets_nothing() {
    let certificates = Certificates::issue();
    for name in ["internal/kms", "internal/db", "public/web"] {
        let app = App::start(&certificates, name).await;
        let web = Web::start(&certificates, &[app.address]).await;
        let answer = web.get("/patients").await;
        assert_eq!(status(&answer), "503", "{name}");
        assert!(answer.contains("retry-after: 2"), "{answer}");
        assert!(app.seen().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn another_app_answers_for_one_that_is_away() {
    let certificates = Certificates::issue();
    let away = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[away, app.address, away]).await;
    for _ in 0..5 {
        assert_eq!(
            status(&web.ask("POST /sign-in", "", "email=a").await),
            "200"
        );
    }
    assert_eq!(app.seen().len(), 5);
}

#[tokio::test]
async fn two_apps_share_the_work_and_keep_their_connections() {
    let certificates = Certificates::issue();
    let first = App::start(&certificates, "internal/app").await;
    let second = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[first.address, second.address]).await;
    for _ in 0..10 {
        assert_eq!(status(&web.get("/patients").await), "200");
    }
    assert!(!first.seen().is_empty() && !second.seen().is_empty());
    assert_eq!(first.seen().len() + second.seen().len(), 10);
}

#[tokio::test]
async fn a_get_outlives_a_pooled_connection_and_a_post_is_never_sent_twice() {
    let certificates = Certificates::issue();
    // It answers the first request of a connection, and closes upon the second.
    let app = Fake::start(&certificates, |got| match got.nth {
        0 => Then::Answer(ok("well")),
        _ => Then::Close,
    })
    .await;
    let web = Web::start(&certificates, &[app.address]).await;
    let (mut answered, mut lost) = (0, 0);
    for number in 0..20 {
        assert_eq!(status(&web.get("/patients").await), "200");
        let answer = web.ask("POST /sign-in", "", &format!("<{number}>")).await;
        match status(&answer) {
            "200" => answered += 1,
            "502" => lost += 1,
            _ => panic!("{answer}"),
        }
    }
    assert!(lost > 0);
    let got = app.got();
    let posts = got.iter().filter(|got| got.head.starts_with("POST"));
    assert_eq!(posts.count(), answered + lost);
}

#[tokio::test]
async fn an_upload_that_its_app_did_not_wait_for_ends_with_the_answer() {
    let certificates = Certificates::issue();
    let app = Fake::hasty(&certificates, |got| {
        assert!(got.head.starts_with("POST /fhir "));
        Then::Early(ok("enough"))
    })
    .await;
    let web = Web::start(&certificates, &[app.address]).await;
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
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer.into_body().collect().await);
    // The body is let go once the stream is reset.
    let ended = async {
        while Arc::strong_count(&upload) > 1 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), ended).await.is_ok());
}
