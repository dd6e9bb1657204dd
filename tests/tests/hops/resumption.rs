//! Web → app: no session is resumed, so that what the app trusts counts anew for each connection. An
//! app of our own beside the stack's, with a trust of its own that can be changed.

use std::fs;
use std::net::TcpListener;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use rustls::ClientConfig;
use stack::Home;
use tempfile::TempDir;
use tests::Running;

use super::identities;
use super::identities::Authority;
use super::wire::ask;
use super::wire::chain_of;
use super::wire::client;

/// How long a change of files may take to be noticed.
const NOTICED: Duration = Duration::from_secs(5);

/// A second app of the same stack; killed when dropped.
struct App {
    process: Child,
    port: u16,
    folder: TempDir,
    authority: Vec<u8>,
}

impl App {
    async fn start(running: &Running) -> Self {
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

    /// Trusts another CA from now on.
    fn trust(&self, authority: &Authority) {
        let file = authority.file();
        let pem = fs::read(&file.certificate).unwrap();
        fs::write(self.folder.path().join("trusted.pem"), pem).unwrap();
    }

    /// Whether somebody gets an answer; sessions that `tls` remembers may be resumed.
    async fn answers(&self, tls: &ClientConfig) -> bool {
        let answer = ask(tls.clone(), "app.internal", self.port, "/healthz").await;
        answer.starts_with("HTTP/1.1 200")
    }

    /// A client that shows web's certificate, issued by some CA, and remembers sessions.
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
async fn whoever_is_trusted_no_more_does_not_get_in_by_an_earlier_session() {
    let running = Running::shared().unwrap();
    let app = App::start(&running).await;
    let web = app.web(&Authority::internal(&running.status));
    for _ in 0..3 {
        assert!(app.answers(&web).await);
    }
    let other = Authority::other_internal();
    let others = app.web(&other);
    assert!(!app.answers(&others).await);
    app.trust(&other);
    let deadline = Instant::now() + NOTICED;
    while !app.answers(&others).await {
        assert!(Instant::now() < deadline, "the change was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..5 {
        assert!(!app.answers(&web).await, "let in by what it had before");
    }
}
