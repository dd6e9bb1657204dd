//! Tests of clients that read their last response slowly: over TLS, through a small receive buffer.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::stack::Certificates;
use super::stack::FakeApp;
use super::stack::TestEdge;
use super::stack::status;
use crate::limits::Limits;

/// The longest that the edge may keep the socket of a client that reads too slowly: three intervals
/// of its check, with a margin.
const MAX_SOCKET_LIFE: Duration = Duration::from_secs(8);

/// An edge that checks every second that its clients read, and its app.
async fn edge(response_bytes: usize) -> (TestEdge, FakeApp) {
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    app.pad(response_bytes);
    let limits = Limits {
        write_stall_interval: Duration::from_secs(1),
        ..Limits::default()
    };
    let edge = TestEdge::start_with(&certificates, &[app.address], limits).await;
    (edge, app)
}

/// A connection whose receive buffer has about this size, in bytes.
async fn connect(edge: &TestEdge, buffer: u32, alpn: &str) -> TlsStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(buffer).unwrap();
    let tcp = socket.connect(edge.address).await.unwrap();
    edge.connect_over(tcp, alpn).await
}

/// Reads 64 bytes ten times a second until the server's socket is gone.
///
/// # Panics
/// When it is not gone after [`MAX_SOCKET_LIFE`].
async fn read_slowly_until_gone(stream: TlsStream<TcpStream>) {
    let (mut tcp, _) = stream.into_inner();
    let (client, server) = (tcp.local_addr().unwrap(), tcp.peer_addr().unwrap());
    let begun = Instant::now();
    let mut bytes = [0; 64];
    while is_held(server, client) {
        let state = connection_of(server, client);
        assert!(begun.elapsed() < MAX_SOCKET_LIFE, "{state:?}");
        let _ = timeout(Duration::from_millis(1), tcp.read(&mut bytes)).await;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the server's socket of a connection is open, or has data left to send.
fn is_held(server: SocketAddr, client: SocketAddr) -> bool {
    // ESTABLISHED, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING.
    let held = ["01", "04", "08", "09", "0B"];
    connection_of(server, client).is_some_and(|(state, _)| held.contains(&state.as_str()))
}

/// The state of a server's socket, and its queues.
fn connection_of(server: SocketAddr, client: SocketAddr) -> Option<(String, String)> {
    let hex = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields[1] == hex(server) && fields[2] == hex(client);
        is_it.then(|| (fields[3].to_owned(), fields[4].to_owned()))
    })
}

#[tokio::test]
async fn over_http1_a_slow_reader_of_a_last_response_does_not_keep_its_socket() {
    // With `close_notify` in the same packet, and without.
    for response_bytes in [12 << 10, 64 << 10] {
        let (edge, _app) = edge(response_bytes).await;
        let mut stream = connect(&edge, 1024, "http/1.1").await;
        let request = "GET /sign-in HTTP/1.1\r\nhost: localhost:8443\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        read_slowly_until_gone(stream).await;
    }
}

#[tokio::test]
async fn over_http1_a_slow_reader_of_a_refusal_does_not_keep_its_socket() {
    let (edge, _app) = edge(0).await;
    let mut stream = connect(&edge, 1024, "http/1.1").await;
    let get = "GET /sign-in HTTP/1.1\r\nhost: localhost:8443\r\n\r\n";
    // A malformed request after others, whose responses fill the client's receive buffer.
    let requests = format!("{}GET / HTTP/3\r\n\r\n", get.repeat(8));
    stream.write_all(requests.as_bytes()).await.unwrap();
    read_slowly_until_gone(stream).await;
}

#[tokio::test]
async fn over_http2_a_slow_reader_of_a_closed_connection_does_not_keep_its_socket() {
    let (edge, _app) = edge(48 << 10).await;
    let mut stream = connect(&edge, 1024, "h2").await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // HEADERS of stream 1: GET https /sign-in localhost:8443.
    let fields = b"\x82\x87\x44\x08/sign-in\x41\x0elocalhost:8443";
    bytes.extend_from_slice(b"\0\0\x1c\x01\x05\0\0\0\x01");
    bytes.extend_from_slice(fields);
    assert_eq!(fields.len(), 0x1c);
    stream.write_all(&bytes).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    // DATA of no stream, a connection error (RFC 9113, 6.1).
    stream.write_all(b"\0\0\0\0\0\0\0\0\0").await.unwrap();
    read_slowly_until_gone(stream).await;
}

#[tokio::test]
async fn a_reader_that_is_fast_enough_gets_all_of_a_last_response() {
    let (edge, _app) = edge(64 << 10).await;
    let mut stream = connect(&edge, 8 << 10, "http/1.1").await;
    let request = "GET /sign-in HTTP/1.1\r\nhost: localhost:8443\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    loop {
        let mut bytes = [0; 2048];
        let length = stream.read(&mut bytes).await.unwrap();
        if length == 0 {
            break;
        }
        response.extend_from_slice(&bytes[..length]);
        // About 20 KiB/s: longer than several checks.
        sleep(Duration::from_millis(100)).await;
    }
    let response = String::from_utf8(response).unwrap();
    assert_eq!(status(&response), "200");
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), "response 1".len() + (64 << 10));
}
