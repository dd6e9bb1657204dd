//! Clients that hold connections by sending or reading slowly, or by sending nothing.

use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use futures::FutureExt;
use https_client::HttpsClient;
use rustls::pki_types::ServerName;
use tests::Load;
use tests::LoadReport;
use tests::edge::Action;
use tests::edge::Edge;
use tests::edge::encode_response;
use tests::scanners::slow_http::Attack;
use tests::scanners::slow_http::Slow;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::served::assert_no_failure;
use super::served::builder;
use super::served::request;

/// The number of concurrent slow clients.
const CLIENTS: u32 = 1000;

/// The longest that a slow client may hold a connection.
const MAX_SLOW_CONNECTION: Duration = Duration::from_secs(15);

/// The longest that a silent client may hold a connection.
const MAX_SILENT_CONNECTION: Duration = Duration::from_secs(10);

/// The address of the client that is not slow.
const HEALTHY_CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One attack at a time: each needs the CPU for itself.
static ONE_ATTACK: Mutex<()> = Mutex::const_new(());

/// An edge whose origin responds with this number of bytes.
async fn edge(bytes: usize) -> Edge {
    let edge = builder(1).start().await.unwrap();
    let body = encode_response("200 OK", &vec![b'x'; bytes]);
    edge.origin()
        .unwrap()
        .script(move |_| Action::Respond(body.clone()));
    edge.ready().await.unwrap();
    edge
}

/// Clients that are not slow, on kept and on new connections.
fn healthy(edge: &Edge) -> Load {
    let authority = edge.certificates.path("public/ca.pem");
    let door = HttpsClient::new(edge.web.port, &authority)
        .unwrap()
        .with_source(HEALTHY_CLIENT);
    Load::start(door, 4, 50, Duration::from_millis(10), request)
}

fn summary(load: &LoadReport) -> String {
    format!(
        "{} responses, p99 {:?}",
        load.responses.len(),
        load.percentile(99)
    )
}

/// Attacks an edge while healthy clients continue; no attacker may keep its connection.
async fn attack(phase: Slow, path: &str, response_bytes: usize) {
    let _alone = ONE_ATTACK.lock().await;
    let edge = edge(response_bytes).await;
    let load = healthy(&edge);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Instant::now();
    let attack = Attack {
        phase,
        connections: CLIENTS,
        // On a busy machine it takes a while to open a thousand connections with a small window.
        seconds: 180,
        address: format!("https://{}{path}", edge.authority()),
        port: edge.web.port,
    };
    let result = attack.run().await.unwrap();
    let ended = Instant::now();
    let outcome = load.stop().await.unwrap();
    let before = outcome.until(begun);
    let during = outcome.since(begun).until(ended);
    println!(
        "{phase:?}: {result:?}\nbefore: {}\nduring: {}",
        summary(&before),
        summary(&during)
    );
    assert_eq!(result.opened, CLIENTS, "{result:?}");
    // On a busy machine the tool sends a few malformed requests, which end their connections at once.
    assert!(result.seen >= CLIENTS / 10 * 9, "{result:?}");
    assert!(result.longest <= MAX_SLOW_CONNECTION, "{result:?}");
    // A slow reader does not notice the end of its connection.
    assert!(
        phase == Slow::Reading || result.all_closed_after.is_some(),
        "{result:?}"
    );
    assert_no_failure(&outcome);
    assert!(!during.responses.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_with_slow_heads_are_closed() {
    attack(Slow::Head, "/sign-in", 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_with_slow_bodies_are_closed() {
    attack(Slow::Body, "/sign-in", 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_of_slow_readers_are_closed() {
    attack(Slow::Reading, "/sign-in", 32 << 10).await;
}

/// Reads until the server closes; returns the time until then.
async fn until_closed(mut stream: impl AsyncReadExt + Unpin) -> Duration {
    let begun = Instant::now();
    let mut bytes = [0; 1024];
    while matches!(stream.read(&mut bytes).await, Ok(length) if length > 0) {}
    begun.elapsed()
}

async fn tls(edge: &Edge, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, edge.web.port))
        .await
        .unwrap();
    let config = edge.certificates.browser(protocol).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_silent_clients_are_closed() {
    let edge = edge(1024).await;
    let tcp = || async {
        TcpStream::connect((Ipv4Addr::LOCALHOST, edge.web.port))
            .await
            .unwrap()
    };
    // The beginning of a ClientHello.
    let mut begun = tcp().await;
    begun
        .write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
        .await
        .unwrap();
    let plain = TcpStream::connect((Ipv4Addr::LOCALHOST, edge.web.redirect_port))
        .await
        .unwrap();
    let mut preface = tls(&edge, b"h2").await;
    preface
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let silent = [
        ("TCP", until_closed(tcp().await).boxed()),
        ("TCP for plain HTTP", until_closed(plain).boxed()),
        ("half a ClientHello", until_closed(begun).boxed()),
        (
            "TLS for HTTP/1.1",
            until_closed(tls(&edge, b"http/1.1").await).boxed(),
        ),
        (
            "TLS for HTTP/2",
            until_closed(tls(&edge, b"h2").await).boxed(),
        ),
        ("HTTP/2 without a frame", until_closed(preface).boxed()),
    ];
    let all = futures::future::join_all(silent.map(|(what, closed)| async move {
        (
            what,
            tokio::time::timeout(MAX_SILENT_CONNECTION, closed).await,
        )
    }));
    for (what, closed) in all.await {
        println!("{what}: {closed:?}");
        assert!(
            closed.is_ok(),
            "{what}: not closed within {MAX_SILENT_CONNECTION:?}"
        );
    }
}
