//! Web → app, from the server's side: a second web process, with another server in the place of
//! app.

use std::net::TcpListener;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use dev_ca::IssuedLeaf;
use dev_ca::Usage;
use stack::Home;
use tests::RunningStack;
use tokio::io::AsyncReadExt;

use super::connection::chain_of;
use super::connection::client;
use super::connection::get;
use super::identities;
use super::identities::Authority;
use super::impostor::Impostor;

/// A second web of the same stack; killed when dropped.
struct Web {
    process: Child,
    port: u16,
    authority: Vec<u8>,
}

impl Web {
    async fn start(running: &RunningStack, upstream: u16) -> Self {
        let home = Home::at(&running.status.home).unwrap();
        let (port, redirect) = (free_port(), free_port());
        let process = stack::command(&home, "web", &[])
            .unwrap()
            .env("WEB_LISTEN", format!("127.0.0.1:{port}"))
            .env("WEB_REDIRECT_LISTEN", format!("127.0.0.1:{redirect}"))
            .env("WEB_PUBLIC_ORIGIN", format!("https://localhost:{port}"))
            .env("WEB_UPSTREAMS", format!("127.0.0.1:{upstream}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let authority = std::fs::read(running.status.certificates.join("public/ca.pem")).unwrap();
        let web = Self {
            process,
            port,
            authority,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "web does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        web
    }

    async fn get(&self, path: &str) -> String {
        get(client(&self.authority, None), "localhost", self.port, path).await
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Web's response, and the numbers of its connections and requests to the impostor.
async fn response_with_impostor(
    running: &RunningStack,
    leaf: &IssuedLeaf,
) -> (String, usize, usize) {
    let impostor = Impostor::listen(chain_of(leaf)).await;
    let web = Web::start(running, impostor.port).await;
    let response = web.get("/sign-in").await;
    (response, impostor.connections(), impostor.requests())
}

#[tokio::test]
async fn web_sends_requests_to_a_server_with_apps_name_and_identity() {
    let running = RunningStack::shared().unwrap();
    let leaf = Authority::internal(&running.status).issue(&identities::app());
    let (response, _, requests) = response_with_impostor(&running, &leaf).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(requests > 0);
}

#[tokio::test]
async fn web_sends_nothing_to_a_server_with_any_wrong_property() {
    let running = RunningStack::shared().unwrap();
    let internal = Authority::internal(&running.status);
    let changed = |change: &dyn Fn(&mut dev_ca::Leaf)| {
        let mut leaf = identities::app();
        change(&mut leaf);
        internal.issue(&leaf)
    };
    let wrong = [
        (
            "another CA of the same name",
            Authority::other_internal().issue(&identities::app()),
        ),
        (
            "web's identity",
            changed(&|l| l.uris = vec![identities::spiffe("web")]),
        ),
        (
            "the database's identity",
            changed(&|l| l.uris = vec![identities::spiffe("db")]),
        ),
        ("no identity", changed(&|l| l.uris.clear())),
        (
            "two identities",
            changed(&|l| l.uris.push(identities::spiffe("db"))),
        ),
        (
            "another name",
            changed(&|l| l.names = vec!["db.internal".to_owned()]),
        ),
        ("a client's usage", changed(&|l| l.usage = Usage::Client)),
        (
            "an expired validity",
            changed(&|l| l.validity = identities::expired()),
        ),
        (
            "a future validity",
            changed(&|l| l.validity = identities::not_yet_valid()),
        ),
    ];
    for (what, leaf) in wrong {
        let (response, connections, requests) = response_with_impostor(&running, &leaf).await;
        assert!(response.starts_with("HTTP/1.1 50"), "{what}: {response}");
        assert!(connections > 0, "{what}: web did not connect");
        assert_eq!(requests, 0, "{what}");
    }
}

#[tokio::test]
async fn web_sends_only_tls_records_to_a_server() {
    let running = RunningStack::shared().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 16 << 10];
        let length = stream.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    });
    let web = Web::start(&running, port).await;
    let response = web.get("/sign-in").await;
    assert!(response.starts_with("HTTP/1.1 50"), "{response}");
    let received = received.await.unwrap();
    // The bytes are a TLS record with a handshake, without any HTTP.
    assert_eq!(received.first(), Some(&0x16));
    assert!(!String::from_utf8_lossy(&received).contains("HTTP/1.1"));
}
