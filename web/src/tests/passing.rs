use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio::time::timeout;

use super::stack::App;
use super::stack::Certificates;
use super::stack::Web;
use super::stack::status;

#[tokio::test]
async fn a_request_reaches_the_app_and_its_answer_the_client() {
    let certificates = Certificates::issue();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[app.address]).await;
    let answer = web
        .ask("POST /fhir/Patient/_search", "", "family=Archer")
        .await;
    assert_eq!(status(&answer), "200");
    assert!(answer.ends_with("answer 1"), "{answer}");
    let seen = &app.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/fhir/Patient/_search")
    );
    assert_eq!(seen.body, b"family=Archer");
    assert_eq!(seen.headers["host"], "app.internal");
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn forged_and_hop_by_hop_headers_stop_at_the_edge() {
    let certificates = Certificates::issue();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[app.address]).await;
    let forged = "x-forwarded-for: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\
                  forwarded: for=6.6.6.6\r\nx-request-id: forged\r\nx-user: admin\r\n\
                  keep-alive: timeout=5\r\nte: trailers\r\nx-listed: 1\r\n\
                  traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    let answer = web.ask("GET /patients", forged, "").await;
    let seen = &app.seen()[0].headers;
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    for name in [
        "forwarded",
        "x-user",
        "keep-alive",
        "te",
        "x-listed",
        "connection",
    ] {
        assert!(!seen.contains_key(name), "{name}");
    }
    let id = seen["x-request-id"].to_str().unwrap();
    assert_ne!(id, "forged");
    assert!(answer.contains(&format!("x-request-id: {id}")), "{answer}");
    assert!(
        seen["traceparent"]
            .to_str()
            .unwrap()
            .contains(&id.replace('-', ""))
    );
    assert!(!answer.contains("app/1.0") && answer.contains("strict-transport-security: max-age"));
}

#[tokio::test]
async fn http2_is_translated() {
    let certificates = Certificates::issue();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[app.address]).await;
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
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = &app.seen()[0];
    assert_eq!(seen.path, "/patients?page=2");
    assert_eq!(seen.headers["cookie"], "__Host-session=2");
    assert_eq!(seen.headers["host"], "app.internal");
}

#[tokio::test]
async fn health_is_told_of_the_edge_and_of_the_app_behind_it() {
    let certificates = Certificates::issue();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[app.address]).await;
    assert_eq!(status(&web.get("/healthz").await), "200");
    // The app is asked every second: it takes a moment until it is known, and until it is gone.
    ready(&web, "200").await;
    app.shutdown.cancel();
    ready(&web, "503").await;
    assert_eq!(status(&web.get("/healthz").await), "200");
}

async fn ready(web: &Web, expected: &str) {
    let told = async {
        while status(&web.get("/readyz").await) != expected {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(10), told).await.is_ok(),
        "{expected}"
    );
}
