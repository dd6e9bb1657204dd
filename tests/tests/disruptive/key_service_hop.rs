//! App → key service: an app that is told another CA or another name does not speak to it.

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
use tests::Apart;
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

/// What a second app says of its readiness to its web.
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
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
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
    let identity = "spiffe://stack.internal/app".parse().unwrap();
    MutualClient::reloading(files, name, identity).unwrap()
}

/// Hands every connection on to the key service, so that it can be reached by another name.
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
async fn an_app_speaks_only_to_the_key_service_that_its_ca_vouches_for_by_name() {
    let mut apart = Apart::up_with(|settings| settings.options.key_service = KeyService::Emulator)
        .await
        .unwrap();
    let home = apart.stack.home().clone();
    let certificates = home.certificates();
    let app = || stack::command(&home, "app", &[]).unwrap();
    let right = readiness(&certificates, &mut app()).await;
    assert!(right.starts_with("HTTP/1.1 200"), "{right}");

    let subject = Subject::new("stack.internal", "stack internal CA");
    let other = DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap();
    let file = home.root().join("other-ca.pem");
    std::fs::write(&file, other.certificate_pem()).unwrap();
    let wrong_ca = readiness(&certificates, app().env("KMS_CA_FILE", &file)).await;
    assert!(wrong_ca.starts_with("HTTP/1.1 503"), "{wrong_ca}");

    let kms = apart.stack.settings().options.ports.kms;
    for (address, answer) in [("127.0.0.1", "HTTP/1.1 200"), ("127.0.0.2", "HTTP/1.1 503")] {
        let port = forwarder(address, kms).await;
        let endpoint = format!("https://{address}:{port}");
        let said = readiness(&certificates, app().env("KMS_ENDPOINT", endpoint)).await;
        assert!(said.starts_with(answer), "{address}: {said}");
    }
    apart.stack.down().await.unwrap();
}
