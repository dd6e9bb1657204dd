use std::time::Duration;

use certs::IdentityFiles;
use certs::TrustAnchors;
use certs::Versions;
use certs::policy;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time;
use tokio_rustls::TlsConnector;

use super::*;

/// An edge's transport with a listener, and what clients need to know of it.
struct Door {
    dir: TempDir,
    tcp: TcpListener,
    transport: EdgeTransport,
}

impl Door {
    async fn open(trusted_proxies: &str, proxy_protocol: bool, connections: u64) -> Self {
        let dir = TempDir::new().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a handshake compares with the real time"
        )]
        let now = ::time::OffsetDateTime::now_utc();
        dev_ca::development(&dev_ca::Settings::new(dir.path(), now)).unwrap();
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

    /// Lets a client in that sends `first` before its handshake and `hello` after it. `Ok` is
    /// where it comes from, and what it sent.
    async fn let_in(&self, first: &[u8]) -> Result<(String, Established<Stream>), Rejected> {
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
                // Until the other side has read it.
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

type Stream = ClientStream;

/// From 203.0.113.9:4000 to 10.0.0.1:443.
const HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test]
async fn a_proxy_header_says_who_the_client_is_and_the_handshake_begins_right_after_it() {
    let door = Door::open("127.0.0.0/8", true, 1).await;
    let (client, held) = door.let_in(HEADER).await.unwrap();
    assert_eq!(client, "203.0.113.9");
    assert_eq!(held.address.port(), 4000);
    // The load balancer itself has no limit; that client has.
    let (balancer, _held) = door.let_in(LOCAL).await.unwrap();
    assert_eq!(balancer, "127.0.0.1");
    door.let_in(LOCAL).await.unwrap();
    let crowded = door.let_in(HEADER).await.err().unwrap();
    assert!(matches!(crowded, Rejected::NotAdmitted(_)), "{crowded}");
    drop(held);
    door.let_in(HEADER).await.unwrap();
    assert_eq!(door.count("done"), "4");
    assert_eq!(door.count("crowded"), "1");
}

#[tokio::test]
async fn where_headers_are_agreed_on_nobody_gets_in_without_a_good_one() {
    let door = Door::open("127.0.0.0/8", true, 8).await;
    for first in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9 10.0.0.1 4000 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let refused = door.let_in(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
    assert_eq!(door.count("proxy"), "4");
    assert_eq!(door.count("done"), "0");
}

#[tokio::test]
async fn past_the_load_balancers_no_header_is_believed() {
    let door = Door::open("10.0.0.0/8", true, 8).await;
    for first in [HEADER, LOCAL, b""] {
        let refused = door.let_in(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
    // Where none is agreed on, one is no handshake.
    let door = Door::open("127.0.0.0/8", false, 8).await;
    let refused = door.let_in(HEADER).await.err().unwrap();
    assert!(matches!(refused, Rejected::Handshake(_)), "{refused}");
    assert_eq!(door.count("tls"), "1");
}

#[tokio::test]
async fn a_client_with_all_its_connections_costs_no_handshake_and_one_that_left_has_room() {
    let door = Door::open("", false, 2).await;
    let one = door.let_in(b"").await.unwrap();
    let _other = door.let_in(b"").await.unwrap();
    let refused = door.let_in(b"").await.err().unwrap();
    assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    assert_eq!(door.transport.admission.connections.used(), 2);
    drop(one);
    assert!(door.let_in(b"").await.is_ok());
}

#[tokio::test]
async fn whoever_says_nothing_is_counted_when_the_time_is_over() {
    let door = Door::open("127.0.0.0/8", true, 8).await;
    let address = door.tcp.local_addr().unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    let (tcp, from) = door.tcp.accept().await.unwrap();
    let handshake = door.transport.establish(tcp, from);
    assert!(
        time::timeout(Duration::from_millis(50), handshake)
            .await
            .is_err()
    );
    assert_eq!(door.count("unfinished"), "1");
    assert_eq!(door.transport.admission.connections.used(), 0);
}

#[tokio::test]
async fn in_the_clear_the_same_is_asked_of_a_client_before_anything_is_read() {
    let Door { tcp, transport, .. } = Door::open("127.0.0.0/8", true, 1).await;
    let plain = PlaintextTransport(transport);
    let address = tcp.local_addr().unwrap();
    let come = async |first: &[u8]| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(first).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        // Whoever sends less than a header has sent all.
        client.shutdown().await.unwrap();
        let (tcp, from) = tcp.accept().await.unwrap();
        plain.establish(tcp, from).await
    };
    let mut held = come(HEADER).await.unwrap();
    assert_eq!(held.address.to_string(), "203.0.113.9:4000");
    let mut said = String::new();
    held.stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello");
    assert!(come(HEADER).await.is_err());
    drop(held);
    assert!(come(HEADER).await.is_ok());
    for first in [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let refused = come(first).await.err().unwrap();
        assert!(matches!(refused, Rejected::NotAdmitted(_)), "{refused}");
    }
}
