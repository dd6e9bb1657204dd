//! One client takes all that it can get while another one sends requests: with production limits,
//! every request of the other one is served.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::ensure;
use load::StalledConnection;
use tests::edge::Action;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::HOST;
use tests::edge::RawConnection;
use tests::edge::encode_response;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STYLE_SHEET: &str = "/assets/style.0123456789abcdef.css";
/// The largest permitted growth of web's memory during an attack, in bytes.
const MAX_MEMORY_GROWTH: u64 = 64 << 20;
/// The time after which web ends a stream without credit, or a body without progress.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// An edge whose origin sends a style sheet of this size, and echoes all other requests.
async fn edge(size: usize) -> anyhow::Result<Edge> {
    let edge = EdgeBuilder::with_origins(1).start().await?;
    edge.ready().await?;
    let style = encode_response("200 OK", &vec![b'a'; size]);
    edge.origin()?.script(move |message| {
        if message.target() == STYLE_SHEET {
            return Action::Respond(style.clone());
        }
        Action::Echo
    });
    Ok(edge)
}

/// Connections with 100 streams each, which request the style sheet and grant no credit for it. The
/// result of a connection is the number of its streams that were reset.
async fn stall(edge: &Edge, connections: usize) -> anyhow::Result<JoinSet<usize>> {
    let mut attack = JoinSet::new();
    for _ in 0..connections {
        let stream = edge.connect_from(ATTACKER, b"h2").await?;
        let connection = StalledConnection::open(stream).await?;
        attack.spawn(async move {
            let uri = format!("https://{HOST}{STYLE_SHEET}");
            connection.stall(&uri, 100).await
        });
    }
    Ok(attack)
}

/// Sends the victim's requests one after the other for a time, and requires a 200 for each. Returns
/// their number.
async fn serve_victim(edge: &Edge, span: Duration, request: &str) -> anyhow::Result<usize> {
    let mut connection = RawConnection::new(edge.connect_from(VICTIM, b"http/1.1").await?);
    let end = Instant::now() + span;
    let mut served = 0;
    while Instant::now() < end {
        connection.send(request.as_bytes()).await?;
        let status = connection.response("GET").await?.1.status;
        ensure!(status == 200, "after {served} responses: {status}");
        served += 1;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(served)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /fhir HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/fhir+json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// 1,800 stalled streams for a response of this size, while the victim requests the same.
async fn streams_without_credit(size: usize) -> anyhow::Result<()> {
    let edge = edge(size).await?;
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    let before = edge.web.resident_bytes()?;
    let attack = stall(&edge, 18).await?;
    serve_victim(&edge, STALL_TIMEOUT / 2, &get(STYLE_SHEET)).await?;
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    ensure!(
        grown < MAX_MEMORY_GROWTH,
        "{grown} bytes for stalled streams"
    );
    let ended = timeout(STALL_TIMEOUT * 2, attack.join_all()).await?;
    let reset: usize = ended.into_iter().sum();
    ensure!(reset > 500, "{reset} streams were reset");
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_credit_for_short_responses_do_not_starve_other_clients()
-> anyhow::Result<()> {
    streams_without_credit(40 << 10).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_credit_for_long_responses_do_not_starve_other_clients()
-> anyhow::Result<()> {
    streams_without_credit(200 << 10).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_thousand_open_streams_take_little_memory() -> anyhow::Result<()> {
    let edge = edge(1 << 10).await?;
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    let before = edge.web.resident_bytes()?;
    let _attack = stall(&edge, 150).await?;
    serve_victim(&edge, STALL_TIMEOUT / 4, &get(STYLE_SHEET)).await?;
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    ensure!(grown < MAX_MEMORY_GROWTH, "{grown} bytes for open streams");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_do_not_starve_other_clients() -> anyhow::Result<()> {
    let edge = edge(1 << 10).await?;
    let transaction = post(r#"{"resourceType":"Bundle","type":"transaction"}"#);
    serve_victim(&edge, Duration::from_millis(200), &transaction).await?;
    let before = edge.web.resident_bytes()?;
    let mut slow = Vec::new();
    for _ in 0..600 {
        // Beyond the limit per client the connection is closed.
        let Ok(stream) = edge.connect_from(ATTACKER, b"http/1.1").await else {
            continue;
        };
        let mut connection = RawConnection::new(stream);
        let body = "a".repeat(70 << 10);
        // Less than the announced length: web waits for the rest.
        let request = post(&body).replace("Content-Length: 71680", "Content-Length: 8000000");
        if connection.send(request.as_bytes()).await.is_ok() {
            slow.push(connection);
        }
    }
    serve_victim(&edge, STALL_TIMEOUT / 4, &transaction).await?;
    serve_victim(&edge, STALL_TIMEOUT / 4, &get("/fhir/metadata")).await?;
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    ensure!(grown < MAX_MEMORY_GROWTH, "{grown} bytes for slow bodies");
    drop(slow);
    Ok(())
}

/// A chunk of one byte.
const CHUNK: &str = "1\r\n \r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_in_chunks_of_one_byte_take_little_memory() -> anyhow::Result<()> {
    let edge = edge(1 << 10).await?;
    let transaction = post(r#"{"resourceType":"Bundle","type":"transaction"}"#);
    serve_victim(&edge, Duration::from_millis(200), &transaction).await?;
    let before = edge.web.resident_bytes()?;
    let request = format!(
        "POST /fhir HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/fhir+json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}",
        CHUNK.repeat(60_000)
    );
    let mut open = Vec::new();
    for _ in 0..120 {
        let mut connection = RawConnection::new(edge.connect_from(ATTACKER, b"http/1.1").await?);
        connection.send(request.as_bytes()).await?;
        open.push(connection);
    }
    serve_victim(&edge, STALL_TIMEOUT / 10, &transaction).await?;
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    ensure!(grown < MAX_MEMORY_GROWTH, "{grown} bytes for small chunks");
    drop(open);
    Ok(())
}

/// As many connections as the attacker may open; each sends these bytes and nothing more.
async fn send_on_each(edge: &Edge, alpn: &[u8], sent: &[u8]) -> Vec<TlsStream<TcpStream>> {
    let mut open = Vec::new();
    for _ in 0..700 {
        let Ok(mut stream) = edge.connect_from(ATTACKER, alpn).await else {
            continue;
        };
        if stream.write_all(sent).await.is_ok() {
            open.push(stream);
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn field_blocks_without_an_end_take_little_memory() -> anyhow::Result<()> {
    let edge = edge(1 << 10).await?;
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    let before = edge.web.resident_bytes()?;
    // SETTINGS, HEADERS of 9,000 bytes without END_HEADERS, and CONTINUATION that breaks off.
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
        &[0, 0x23, 0x28, 1, 0, 0, 0, 0, 1],
        &[0x82; 9_000],
        &[0, 0x40, 0, 9, 0, 0, 0, 0, 1],
        &[0x82; 16_000],
    ];
    let open = send_on_each(&edge, b"h2", &sent.concat()).await;
    ensure!(open.len() > 300, "{} connections", open.len());
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    ensure!(grown < MAX_MEMORY_GROWTH, "{grown} bytes for field blocks");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_without_an_end_take_little_memory() -> anyhow::Result<()> {
    let edge = edge(1 << 10).await?;
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    let before = edge.web.resident_bytes()?;
    // A ClientHello of 65,500 bytes in four records, of which the last byte is missing.
    let hello = [vec![1, 0, 0xFF, 0xDC], vec![0; 65_500]].concat();
    let mut records = Vec::new();
    for part in hello.chunks(16_384) {
        records.extend([22, 3, 1]);
        records.extend(u16::try_from(part.len())?.to_be_bytes());
        records.extend(part);
    }
    records.pop();
    let mut open = Vec::new();
    for _ in 0..700 {
        let socket = TcpSocket::new_v4()?;
        socket.bind((ATTACKER, 0).into())?;
        let mut stream = socket
            .connect((Ipv4Addr::LOCALHOST, edge.web.port).into())
            .await?;
        // Beyond the limit per client the connection is closed.
        if stream.write_all(&records).await.is_ok() {
            open.push(stream);
        }
    }
    sleep(Duration::from_millis(200)).await;
    let grown = edge.web.resident_bytes()?.saturating_sub(before);
    serve_victim(&edge, Duration::from_millis(200), &get(STYLE_SHEET)).await?;
    ensure!(grown < MAX_MEMORY_GROWTH, "{grown} bytes for handshakes");
    Ok(())
}
