use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::stack::{App, Certificates, Web, status};

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
    assert_eq!((first.seen().len(), second.seen().len()), (5, 5));
}

/// What an app does after it has answered the first request of a connection.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// It waits for a second one, and closes.
    Close,
    /// It reads nothing any more.
    Hang,
}

/// An app that answers the first head of each connection, and no other. Counts what it was sent.
async fn rude_app(certificates: &Certificates, then: Then) -> (SocketAddr, Arc<AtomicUsize>) {
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
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (tls, counter) = (tls.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                let mut stream = tls.accept(tcp).await.unwrap();
                let mut buffer = [0; 4096];
                for answered in [true, false] {
                    if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                    counter.fetch_add(1, Relaxed);
                    if answered {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        stream.write_all(answer).await.unwrap();
                        if then == Then::Hang {
                            return std::future::pending().await;
                        }
                    }
                }
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_get_outlives_a_pooled_connection_and_a_post_is_never_sent_twice() {
    let certificates = Certificates::issue();
    let (address, requests) = rude_app(&certificates, Then::Close).await;
    let web = Web::start(&certificates, &[address]).await;
    assert_eq!(status(&web.get("/patients").await), "200");
    // Upon the pooled connection, and then upon a new one.
    assert_eq!(status(&web.get("/patients").await), "200");
    assert_eq!(requests.load(Relaxed), 3);
    let answer = web.ask("POST /sign-in", "", "email=a").await;
    assert_eq!(status(&answer), "502", "{answer}");
    assert_eq!(requests.load(Relaxed), 4);
}

#[tokio::test]
async fn an_upload_that_its_app_did_not_wait_for_ends_with_the_answer() {
    let certificates = Certificates::issue();
    let (address, _requests) = rude_app(&certificates, Then::Hang).await;
    let web = Web::start(&certificates, &[address]).await;
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
