//! Web → app: no session is resumed, so the app's trust anchors apply to each connection. The test
//! starts a second app, whose trust anchors it can change.

use std::fs;
use std::net::TcpListener;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use rustls::ClientConfig;
use stack::Home;
use tempfile::TempDir;
use tests::RunningStack;

use super::connection::chain_of;
use super::connection::client;
use super::connection::get;
use super::identities;
use super::identities::Authority;

/// The longest that a change of files may take to be noticed.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A second app of the same stack; killed when dropped.
struct App {
    process: Child,
    port: u16,
    folder: TempDir,
    authority: Vec<u8>,
}

impl App {
    async fn start(running: &RunningStack) -> Self {
        let home = Home::at(&running.status.home).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = fs::read(running.status.certificates.join("internal/ca.pem")).unwrap();
        fs::write(folder.path().join("trusted.pem"), &authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let process = stack::command(&home, "app", &[])
            .unwrap()
            .env("APP_LISTEN", format!("127.0.0.1:{port}"))
            .env("APP_TLS_CLIENT_CA_FILE", folder.path().join("trusted.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "app does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            process,
            port,
            folder,
            authority,
        }
    }

    /// Replaces the trust anchors.
    fn trust(&self, authority: &Authority) {
        let file = authority.file();
        let pem = fs::read(&file.certificate).unwrap();
        fs::write(self.folder.path().join("trusted.pem"), pem).unwrap();
    }

    /// Whether a client gets a response; it resumes the sessions of `tls` if the app permits it.
    async fn responds_to(&self, tls: &ClientConfig) -> bool {
        let response = get(tls.clone(), "app.internal", self.port, "/healthz").await;
        response.starts_with("HTTP/1.1 200")
    }

    /// A client with web's certificate of some CA, which stores sessions for resumption.
    fn web(&self, authority: &Authority) -> ClientConfig {
        let leaf = authority.issue(&identities::web());
        client(&self.authority, Some(chain_of(&leaf)))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_client_that_is_no_longer_trusted_cannot_resume_a_session() {
    let running = RunningStack::shared().unwrap();
    let app = App::start(&running).await;
    let web = app.web(&Authority::internal(&running.status));
    for _ in 0..3 {
        assert!(app.responds_to(&web).await);
    }
    let other = Authority::other_internal();
    let others = app.web(&other);
    assert!(!app.responds_to(&others).await);
    app.trust(&other);
    let deadline = Instant::now() + RELOAD_TIMEOUT;
    while !app.responds_to(&others).await {
        assert!(Instant::now() < deadline, "the change was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..5 {
        assert!(!app.responds_to(&web).await, "accepted by resumption");
    }
}
