//! Clients that hold connections by being slow, or by saying nothing at all.

use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use futures::FutureExt;
use https_client::HttpsClient;
use rustls::pki_types::ServerName;
use tests::Load;
use tests::Outcome;
use tests::edge::Act;
use tests::edge::Edge;
use tests::edge::answer;
use tests::scanners::slow_http::Attack;
use tests::scanners::slow_http::Slow;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::served::assert_no_failure;
use super::served::plan;
use super::served::request;

/// How many slow clients there are at once.
const CLIENTS: u32 = 1000;

/// The longest that one of them may hold a connection.
const BOUND: Duration = Duration::from_secs(15);

/// The longest that somebody may who says nothing.
const SILENT: Duration = Duration::from_secs(10);

/// Where the client comes from that is not slow.
const HEALTHY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One attack at a time: each is to have the machine for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

/// An edge whose one app answers with this much.
async fn edge(bytes: usize) -> Edge {
    let edge = plan(1).start().await.unwrap();
    let said = answer("200 OK", &vec![b'x'; bytes]);
    edge.origin()
        .unwrap()
        .script(move |_| Act::Answer(said.clone()));
    edge.ready().await.unwrap();
    edge
}

/// A client that is not slow, asking on kept connections and on new ones.
fn healthy(edge: &Edge) -> Load {
    let authority = edge.certificates.path("public/ca.pem");
    let door = HttpsClient::new(edge.web.port, &authority)
        .unwrap()
        .with_source(HEALTHY);
    Load::start(door, 4, 50, Duration::from_millis(10), request)
}

fn said(load: &Outcome) -> String {
    format!(
        "{} answers, p99 {:?}",
        load.answers.len(),
        load.percentile(99)
    )
}

/// Attacks an edge while a healthy client goes on; none of the attackers keeps its connection.
async fn attack(what: Slow, path: &str, answered: usize) {
    let _alone = ALONE.lock().await;
    let edge = edge(answered).await;
    let load = healthy(&edge);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Instant::now();
    let attack = Attack {
        what,
        connections: CLIENTS,
        // The tool ends by itself when none is left, except where it does not notice. On a busy
        // machine it needs a while to make a thousand connections through a small window.
        seconds: 45,
        address: format!("https://{}{path}", edge.authority()),
        port: edge.web.port,
    };
    let held = attack.run().await.unwrap();
    let ended = Instant::now();
    let outcome = load.stop().await.unwrap();
    let before = outcome.until(begun);
    let during = outcome.since(begun).until(ended);
    println!(
        "{what:?}: {held:?}\nbefore: {}\nduring: {}",
        said(&before),
        said(&during)
    );
    assert_eq!(held.opened, CLIENTS, "{held:?}");
    assert!(held.seen >= CLIENTS, "{held:?}");
    assert!(held.longest <= BOUND, "{held:?}");
    // Behind TLS a slow reader goes on reading what it was sent in one record, and does not look
    // whether there is a connection any more: only the kernel knows.
    assert!(
        what == Slow::Reading || held.all_closed_after.is_some(),
        "{held:?}"
    );
    assert_no_failure(&outcome);
    assert!(!during.answers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_heads_are_all_closed() {
    attack(Slow::Head, "/sign-in", 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_bodies_are_all_closed() {
    attack(Slow::Body, "/sign-in", 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_readers_are_all_closed() {
    attack(Slow::Reading, "/sign-in", 32 << 10).await;
}

/// Reads until the other side ends it; how long that took.
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
async fn whoever_says_nothing_is_closed() {
    let edge = edge(1024).await;
    let tcp = || async {
        TcpStream::connect((Ipv4Addr::LOCALHOST, edge.web.port))
            .await
            .unwrap()
    };
    // The first bytes of a handshake whose rest never comes.
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
    let all =
        futures::future::join_all(silent.map(|(what, closed)| async move {
            (what, tokio::time::timeout(SILENT, closed).await)
        }));
    for (what, closed) in all.await {
        println!("{what}: {closed:?}");
        assert!(closed.is_ok(), "{what}: not closed within {SILENT:?}");
    }
}
