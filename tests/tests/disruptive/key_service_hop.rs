//! App → key service: an app with another CA or another server name sends the key service no
//! request.

use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use certs::IdentityFiles;
use certs::MutualClient;
use certs::MutualFiles;
use dev_ca::DevelopmentCa;
use dev_ca::Subject;
use dev_ca::Validity;
use rustls::pki_types::ServerName;
use stack::KeyService;
use tests::IsolatedStack;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// A second app of a stack; killed when dropped.
struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The response of a second app to web's readiness probe.
async fn readiness(certificates: &Path, command: &mut Command) -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    command
        .env("APP_LISTEN", format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _app = App(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "app does not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut stream = web(certificates).connect(stream).await.unwrap().stream;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: app.internal\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn web(certificates: &Path) -> MutualClient {
    let files = MutualFiles {
        identity: IdentityFiles {
            certificate: certificates.join("internal/web.pem"),
            key: certificates.join("internal/web.key"),
        },
        anchors: certificates.join("internal/ca.pem"),
    };
    let name = ServerName::try_from("app.internal").unwrap();
    let identity = stack::identity("app").parse().unwrap();
    MutualClient::reloading(files, name, identity).unwrap()
}

/// Forwards connections to the key service, which is thus reachable under another address.
async fn forwarder(address: &str, to: u16) -> u16 {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    port
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are judged by today's date"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_uses_only_the_key_service_with_a_certificate_of_its_ca_and_name() {
    let mut isolated =
        IsolatedStack::start_with(|settings| settings.options.key_service = KeyService::Emulator)
            .await
            .unwrap();
    let home = isolated.stack.home().clone();
    let certificates = home.certificates();
    let app = || stack::command(&home, "app", &[]).unwrap();
    let right = readiness(&certificates, &mut app()).await;
    assert!(right.starts_with("HTTP/1.1 200"), "{right}");

    let subject = Subject::new(product::TRUST_DOMAIN, "stack internal CA");
    let other = DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap();
    let file = home.root().join("other-ca.pem");
    std::fs::write(&file, other.certificate_pem()).unwrap();
    let wrong_ca = readiness(&certificates, app().env("KMS_CA_FILE", &file)).await;
    assert!(wrong_ca.starts_with("HTTP/1.1 503"), "{wrong_ca}");

    let kms = isolated.stack.settings().options.ports.kms;
    for (address, response) in [("127.0.0.1", "HTTP/1.1 200"), ("127.0.0.2", "HTTP/1.1 503")] {
        let port = forwarder(address, kms).await;
        let endpoint = format!("https://{address}:{port}");
        let received = readiness(&certificates, app().env("KMS_ENDPOINT", endpoint)).await;
        assert!(received.starts_with(response), "{address}: {received}");
    }
    isolated.stack.down().await.unwrap();
}
