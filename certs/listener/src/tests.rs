//! Tests of the accept loop with real TLS clients: identities, timeouts and draining.

use http::Request;
use http::Response;
use hyper::body::Incoming;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use certs::MutualServer;
use certs::PeerIdentity;
use certs::policy;
use dev_ca::DevelopmentCa;
use dev_ca::Leaf;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;

use super::*;
use crate::testing::Certificates;
use crate::testing::DOMAIN;
use crate::testing::get;
use crate::testing::now;
use crate::testing::spiffe;

impl Certificates {
    /// Issues `internal/<file>` by the internal CA; `change` makes the leaf wrong.
    pub(crate) fn wrong(&self, file: &str, usage: Usage, change: impl FnOnce(&mut Leaf)) -> String {
        let subject = Subject::new(DOMAIN, "stack internal CA");
        let ca = DevelopmentCa::load_or_create(&self.path("internal"), &subject, now()).unwrap();
        self.wrong_by(&ca, file, usage, change)
    }

    /// Issues `internal/<file>`, correct but signed by another CA of the same name.
    pub(crate) fn wrong_ca(&self, file: &str, usage: Usage) -> String {
        let subject = Subject::new(DOMAIN, "stack internal CA");
        let ca = DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap();
        self.wrong_by(&ca, file, usage, |_| ())
    }

    fn wrong_by(
        &self,
        ca: &DevelopmentCa,
        file: &str,
        usage: Usage,
        change: impl FnOnce(&mut Leaf),
    ) -> String {
        let (name, names) = match usage {
            Usage::Server => ("app", vec!["app.internal".to_owned()]),
            Usage::Client => ("web", vec![]),
        };
        let mut leaf = Leaf {
            names,
            uris: vec![spiffe(name).to_string()],
            ..Leaf::new(Subject::new(DOMAIN, name), usage, Validity::days(now(), 30))
        };
        change(&mut leaf);
        ca.issue(&leaf)
            .unwrap()
            .write(&self.path("internal"), file)
            .unwrap();
        format!("internal/{file}")
    }
}

/// A server on a free port, with its shutdown token and outcome.
struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Drained>,
}

/// Starts a server that responds with the client's identity and address; `/slow` takes 300 ms.
async fn start(transport: impl Transport, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let service = tower::service_fn(|request: Request<Incoming>| async move {
        if request.uri().path() == "/slow" {
            time::sleep(Duration::from_millis(300)).await;
        }
        let peer = request.extensions().get::<PeerIdentity>();
        let peer = peer.map_or("anonymous".to_owned(), |peer| peer.spiffe_id().to_string());
        let address = request.extensions().get::<PeerAddress>().unwrap().0.ip();
        Ok(Response::new(format!("{peer} from {address}")))
    });
    let ended = tokio::spawn(serve(
        listener,
        transport,
        Http1(service),
        limits,
        shutdown.clone(),
    ));
    Running {
        address,
        shutdown,
        ended,
    }
}

async fn start_app(certificates: &Certificates, name: &str) -> Running {
    let files = certificates.mutual(name);
    start(
        MutualServer::reloading(files, spiffe("web")).unwrap(),
        Limits::internal(),
    )
    .await
}

fn short() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(100),
        header_timeout: Duration::from_millis(100),
        first_request_timeout: Duration::from_millis(500),
        keep_alive_timeout: Duration::from_millis(500),
        ..Limits::internal()
    }
}

#[tokio::test]
async fn the_expected_client_is_served_and_named() {
    let certificates = Certificates::issue();
    let app = start_app(&certificates, "internal/app").await;
    let response = get(
        app.address,
        "app.internal",
        certificates.client("internal/web"),
    )
    .await;
    assert!(
        response
            .unwrap()
            .ends_with("spiffe://example.internal/web from 127.0.0.1")
    );
}

#[tokio::test]
async fn every_other_client_is_rejected() {
    let certificates = Certificates::issue();
    let app = start_app(&certificates, "internal/app").await;
    let wrong = [
        certificates.wrong_ca("other-ca", Usage::Client),
        certificates.wrong("expired", Usage::Client, |leaf| {
            leaf.validity = Validity::expired(now());
        }),
        certificates.wrong("not-yet", Usage::Client, |leaf| {
            leaf.validity = Validity::not_yet(now());
        }),
        certificates.wrong("other-name", Usage::Client, |leaf| {
            leaf.uris = vec![spiffe("kms").to_string()];
        }),
        certificates.wrong("no-name", Usage::Client, |leaf| leaf.uris.clear()),
        certificates.wrong("two-names", Usage::Client, |leaf| {
            leaf.uris.push(spiffe("kms").to_string());
        }),
        certificates.wrong("server-usage", Usage::Server, |leaf| {
            leaf.uris = vec![spiffe("web").to_string()];
        }),
        "public/web".to_owned(),
        "database/app".to_owned(),
    ];
    for name in wrong {
        let response = get(app.address, "app.internal", certificates.client(&name)).await;
        assert!(response.is_err(), "{name}: {response:?}");
    }
    let anonymous = policy::https_client(&certificates.anchors("internal/ca.pem")).unwrap();
    assert!(get(app.address, "app.internal", anonymous).await.is_err());
}

#[tokio::test]
async fn every_other_server_is_rejected() {
    let certificates = Certificates::issue();
    let wrong = [
        certificates.wrong_ca("other-ca", Usage::Server),
        certificates.wrong("expired", Usage::Server, |leaf| {
            leaf.validity = Validity::expired(now());
        }),
        certificates.wrong("not-yet", Usage::Server, |leaf| {
            leaf.validity = Validity::not_yet(now());
        }),
        certificates.wrong("other-name", Usage::Server, |leaf| {
            leaf.uris = vec![spiffe("kms").to_string()];
        }),
        certificates.wrong("no-name", Usage::Server, |leaf| leaf.uris.clear()),
        certificates.wrong("two-names", Usage::Server, |leaf| {
            leaf.uris.push(spiffe("kms").to_string());
        }),
        certificates.wrong("other-host", Usage::Server, |leaf| {
            leaf.names = vec!["kms.internal".to_owned()];
        }),
        certificates.wrong("client-usage", Usage::Client, |leaf| {
            leaf.names = vec!["app.internal".to_owned()];
            leaf.uris = vec![spiffe("app").to_string()];
        }),
        "public/web".to_owned(),
    ];
    for name in wrong {
        let app = start_app(&certificates, &name).await;
        let response = get(
            app.address,
            "app.internal",
            certificates.client("internal/web"),
        )
        .await;
        assert!(response.is_err(), "{name}: {response:?}");
    }
}

#[tokio::test]
async fn a_mutual_connection_gets_no_ticket_and_resumes_nothing() {
    let certificates = Certificates::issue();
    let app = start_app(&certificates, "internal/app").await;
    let mut config = certificates.client("internal/web");
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for _ in 0..2 {
        let tcp = TcpStream::connect(app.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
        let name = "app.internal".try_into().unwrap();
        let mut stream = connector.connect(name, tcp).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let connection = stream.get_ref().1;
        assert_eq!(
            connection.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
        assert_eq!(connection.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let certificates = Certificates::issue();
    let transport = MutualServer::reloading(certificates.mutual("internal/app"), spiffe("web"));
    let silent = start(transport.unwrap(), short()).await;
    let plain = start(Plaintext, short()).await;
    for (address, sent) in [
        (silent.address, ""),
        (plain.address, ""),
        (plain.address, "GET / HT"),
    ] {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(sent.as_bytes()).await.unwrap();
        let closed = time::timeout(Duration::from_secs(5), tcp.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{sent:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout() {
    let server = start(Plaintext, short()).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        tcp.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut response = [0; 1024];
        let length = tcp.read(&mut response).await.unwrap();
        assert!(response[..length].starts_with(b"HTTP/1.1 200 OK"));
        time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn a_request_in_flight_is_completed_during_the_drain() {
    let server = start(Plaintext, Limits::internal()).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    time::sleep(Duration::from_millis(100)).await;
    server.shutdown.cancel();
    let mut response = String::new();
    tcp.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    assert_eq!(server.ended.await.unwrap(), Drained::Complete);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn an_unfinished_request_is_aborted_at_the_drain_deadline() {
    let limits = Limits {
        drain_timeout: Duration::from_millis(50),
        ..Limits::internal()
    };
    let server = start(Plaintext, limits).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    time::sleep(Duration::from_millis(100)).await;
    server.shutdown.cancel();
    assert_eq!(server.ended.await.unwrap(), Drained::Forced(1));
}

#[tokio::test]
async fn http2_is_not_negotiated_between_the_tiers() {
    let certificates = Certificates::issue();
    let app = start_app(&certificates, "internal/app").await;
    let mut config = certificates.client("internal/web");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = get(app.address, "app.internal", config).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"));
}

#[tokio::test]
async fn a_connection_ends_when_its_certificate_expires() {
    let certificates = Certificates::issue();
    let app = start_app(&certificates, "internal/app").await;
    let short = certificates.wrong("short", Usage::Client, |leaf| {
        leaf.validity.not_after = now() + time::Duration::from_secs(3);
    });
    let tcp = TcpStream::connect(app.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(certificates.client(&short)));
    let name = "app.internal".try_into().unwrap();
    let mut tls = connector.connect(name, tcp).await.unwrap();
    tls.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut response = Vec::new();
    // The keep-alive timeout is two minutes: only the certificate can end the connection earlier.
    let ended = time::timeout(Duration::from_secs(20), tls.read_to_end(&mut response));
    ended.await.unwrap().unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_above_the_connection_limit_waits() {
    let limits = Limits {
        max_connections: 1,
        ..Limits::internal()
    };
    let server = start(Plaintext, limits).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    time::sleep(Duration::from_millis(50)).await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut response = String::new();
    let waits = time::timeout(
        Duration::from_millis(100),
        second.read_to_string(&mut response),
    );
    assert!(waits.await.is_err());
    drop(first);
    second.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
}
