//! Tests of the transport with real TLS clients: PROXY headers, admission and timeouts.

use std::time::Duration;

use certs::IdentityFiles;
use certs::TrustAnchors;
use certs::Versions;
use certs::policy;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::time;
use tokio_rustls::TlsConnector;

use super::*;

/// An edge transport with its listener and the certificates for clients.
struct TestListener {
    dir: TempDir,
    tcp: TcpListener,
    transport: EdgeTransport,
}

impl TestListener {
    async fn open(trusted_proxies: &str, proxy_protocol: bool, connections: u64) -> Self {
        let dir = TempDir::new().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a handshake compares with the system clock"
        )]
        let now = ::time::OffsetDateTime::now_utc();
        dev_ca::development(
            &dev_ca::Settings::new(dir.path(), now).in_trust_domain("example.internal"),
        )
        .unwrap();
        let identity = IdentityFiles {
            certificate: dir.path().join("public/web.pem"),
            key: dir.path().join("public/web.key"),
        };
        let mut limits = Limits::default();
        limits.connections.max_per_client = connections;
        let transport = EdgeTransport {
            tls: PublicServer::reloading(identity, Versions::Tls13).unwrap(),
            admission: Admission::new(&limits),
            limits: Arc::new(limits),
            trusted_proxies: Arc::new(trusted_proxies.parse().unwrap_or_default()),
            proxy_protocol,
            metrics: Metrics::new([]),
        };
        Self {
            dir,
            tcp: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            transport,
        }
    }

    /// Connects a client that sends `first` before its handshake and `hello` after it. Returns the
    /// client's address and the connection.
    async fn connect(&self, first: &[u8]) -> Result<(String, Established<Stream>), Rejected> {
        let address = self.tcp.local_addr().unwrap();
        let anchors = self.dir.path().join("public/ca.pem");
        let config = policy::https_client(&TrustAnchors::from_pem_file(anchors).unwrap()).unwrap();
        let first = first.to_vec();
        let client = tokio::spawn(async move {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            tcp.write_all(&first).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            if let Ok(mut tls) = connector.connect(name, tcp).await {
                tls.write_all(b"hello").await.unwrap();
                tls.flush().await.unwrap();
                // Waits until the server has read it.
                drop(tls.read(&mut [0]).await);
            }
        });
        let (tcp, from) = self.tcp.accept().await.unwrap();
        let established = self.transport.establish(tcp, from).await;
        if established.is_err() {
            client.await.unwrap();
        }
        let mut established = established?;
        let mut hello = [0; 5];
        established.stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        Ok((established.address.ip().to_string(), established))
    }

    fn count(&self, outcome: &str) -> String {
        let text = self.transport.metrics.text();
        let line = format!("web_handshakes_total{{outcome=\"{outcome}\"}} ");
        let found = text.lines().find_map(|l| l.strip_prefix(&line));
        found.unwrap().to_owned()
    }
}

type Stream = TlsStream<DeferredTicketStream>;

/// From 203.0.113.9:4000 to 10.0.0.1:443.
const HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test]
async fn a_proxy_header_states_the_client_and_the_handshake_follows_it() {
    let listener = TestListener::open("127.0.0.0/8", true, 1).await;
    let (client, held) = listener.connect(HEADER).await.unwrap();
    assert_eq!(client, "203.0.113.9");
    assert_eq!(held.address.port(), 4000);
    // The proxy itself is not limited; the client is.
    let (proxy, _held) = listener.connect(LOCAL).await.unwrap();
    assert_eq!(proxy, "127.0.0.1");
    listener.connect(LOCAL).await.unwrap();
    let refused = listener.connect(HEADER).await.err().unwrap();
    assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    drop(held);
    listener.connect(HEADER).await.unwrap();
    assert_eq!(listener.count("done"), "4");
    assert_eq!(listener.count("crowded"), "1");
}

#[tokio::test]
async fn with_the_proxy_protocol_a_client_without_a_valid_header_is_refused() {
    let listener = TestListener::open("127.0.0.0/8", true, 8).await;
    for first in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9 10.0.0.1 4000 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let refused = listener.connect(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
    assert_eq!(listener.count("proxy"), "4");
    assert_eq!(listener.count("done"), "0");
}

#[tokio::test]
async fn a_proxy_header_of_an_untrusted_peer_is_refused() {
    let listener = TestListener::open("10.0.0.0/8", true, 8).await;
    for first in [HEADER, LOCAL, b""] {
        let refused = listener.connect(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
    // Without the proxy protocol, a header is a malformed TLS handshake.
    let listener = TestListener::open("127.0.0.0/8", false, 8).await;
    let refused = listener.connect(HEADER).await.err().unwrap();
    assert!(matches!(refused, Rejected::Handshake(_)), "{refused}");
    assert_eq!(listener.count("tls"), "1");
}

#[tokio::test]
async fn a_client_at_its_connection_limit_is_refused_until_a_connection_ends() {
    let listener = TestListener::open("", false, 2).await;
    let one = listener.connect(b"").await.unwrap();
    let _other = listener.connect(b"").await.unwrap();
    let refused = listener.connect(b"").await.err().unwrap();
    assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    assert_eq!(listener.transport.admission.connections.used(), 2);
    drop(one);
    assert!(listener.connect(b"").await.is_ok());
}

#[tokio::test]
async fn a_silent_client_counts_as_unfinished() {
    let listener = TestListener::open("127.0.0.0/8", true, 8).await;
    let address = listener.tcp.local_addr().unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    let (tcp, from) = listener.tcp.accept().await.unwrap();
    let handshake = listener.transport.establish(tcp, from);
    assert!(
        time::timeout(Duration::from_millis(50), handshake)
            .await
            .is_err()
    );
    assert_eq!(listener.count("unfinished"), "1");
    assert_eq!(listener.transport.admission.connections.used(), 0);
}

#[tokio::test]
async fn the_plaintext_transport_admits_clients_by_the_same_rules() {
    let TestListener { tcp, transport, .. } = TestListener::open("127.0.0.0/8", true, 1).await;
    let plain = PlaintextTransport(transport);
    let address = tcp.local_addr().unwrap();
    let connect = async |first: &[u8]| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(first).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        // Otherwise the server would wait for the rest of an incomplete header.
        client.shutdown().await.unwrap();
        let (tcp, from) = tcp.accept().await.unwrap();
        plain.establish(tcp, from).await
    };
    let mut held = connect(HEADER).await.unwrap();
    assert_eq!(held.address.to_string(), "203.0.113.9:4000");
    let mut received = String::new();
    held.stream.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "hello");
    assert!(connect(HEADER).await.is_err());
    drop(held);
    assert!(connect(HEADER).await.is_ok());
    for first in [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let refused = connect(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
}

/// A plaintext socket of the edge, to which 64 KiB were written, and its client, whose receive
/// buffer has about this size.
async fn written_socket(listener: TestListener, buffer: u32) -> (ClientSocket, TcpStream) {
    let TestListener { tcp, transport, .. } = listener;
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(buffer).unwrap();
    let client = client.connect(tcp.local_addr().unwrap()).await.unwrap();
    let (tcp, from) = tcp.accept().await.unwrap();
    let plain = PlaintextTransport(transport);
    let mut server = plain.establish(tcp, from).await.unwrap().stream;
    server.write_all(&vec![0; 64 << 10]).await.unwrap();
    (server, client)
}

#[tokio::test]
async fn a_shutdown_ends_and_the_connection_counts_until_the_client_has_read_enough() {
    let listener = TestListener::open("", false, 1).await;
    let admission = Arc::clone(&listener.transport.admission);
    let (mut server, mut client) = written_socket(listener, 4 << 10).await;
    let pause = Duration::from_millis(300);
    assert!(time::timeout(pause, server.shutdown()).await.is_err());
    assert_eq!(admission.connections.used(), 1);
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.map(|_| received)
    });
    // Not only at the next check of the client's progress.
    let interval = Limits::default().write_stall_interval;
    let soon = interval.saturating_sub(pause);
    time::timeout(soon, server.shutdown())
        .await
        .unwrap()
        .unwrap();
    drop(server);
    assert_eq!(admission.connections.used(), 0);
    assert_eq!(reading.await.unwrap().unwrap().len(), 64 << 10);
}

#[tokio::test]
async fn a_socket_that_is_dropped_while_the_kernel_holds_unsent_bytes_is_reset() {
    for (buffer, is_reset) in [(4 << 10, true), (1 << 20, false)] {
        let listener = TestListener::open("", false, 1).await;
        let (server, mut client) = written_socket(listener, buffer).await;
        drop(server);
        let mut received = Vec::new();
        let read = client.read_to_end(&mut received).await;
        let kind = read.err().map(|error| error.kind());
        assert_eq!(kind, is_reset.then_some(io::ErrorKind::ConnectionReset));
        assert_eq!(received.len() < 64 << 10, is_reset);
    }
}
