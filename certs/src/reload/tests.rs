//! Tests of reloading, with real handshakes before and after a change of files.

use std::fs;
use std::net::SocketAddr;

use dev_ca::Settings;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::LoadError;
use crate::MutualServer;
use crate::PublicServer;
use crate::Versions;
use crate::policy;
use crate::testing::Certificates;
use crate::testing::DOMAIN;
use crate::testing::get;
use crate::testing::now;
use crate::testing::spiffe;

/// The certificate that the server at `address` presents.
async fn presented(certificates: &Certificates, address: SocketAddr) -> Vec<u8> {
    let config = policy::https_client(&certificates.anchors("public/ca.pem")).unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect("localhost".try_into().unwrap(), tcp)
        .await
        .unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn start(certificates: &Certificates) -> SocketAddr {
    let identity = certificates.identity("public/web");
    let server = PublicServer::reloading(identity, Versions::Tls13).unwrap();
    let handshake = move |tcp| {
        let acceptor = TlsAcceptor::from(server.config());
        async move { acceptor.accept(tcp).await.ok() }
    };
    serve(handshake).await
}

/// Serves one request on each connection whose handshake succeeds.
async fn serve<F>(handshake: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = Option<TlsStream<TcpStream>>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Some(mut stream) = handshake(tcp).await else {
                continue;
            };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// Waits for a number of checks of the files.
async fn checks(times: u32) {
    tokio::time::sleep(INTERVAL * times).await;
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart() {
    let certificates = Certificates::issue();
    let address = start(&certificates).await;
    let before = presented(&certificates, address).await;
    dev_ca::development(&Settings::new(certificates.path(""), now()).in_trust_domain(DOMAIN))
        .unwrap();
    checks(10).await;
    assert_ne!(presented(&certificates, address).await, before);
}

#[tokio::test]
async fn a_half_written_file_leaves_the_last_good_certificate_in_use() {
    let certificates = Certificates::issue();
    let address = start(&certificates).await;
    let before = presented(&certificates, address).await;
    let other = Certificates::issue();
    let whole = fs::read_to_string(other.path("public/web.pem")).unwrap();
    for bad in [&whole[..whole.len() / 2], "", &whole] {
        // The last one is complete, but is for another key.
        fs::write(certificates.path("public/web.pem"), bad).unwrap();
        checks(10).await;
        assert_eq!(presented(&certificates, address).await, before);
    }
    fs::remove_file(certificates.path("public/web.pem")).unwrap();
    checks(10).await;
    assert_eq!(presented(&certificates, address).await, before);
    dev_ca::development(&Settings::new(certificates.path(""), now()).in_trust_domain(DOMAIN))
        .unwrap();
    checks(10).await;
    assert_ne!(presented(&certificates, address).await, before);
}

#[tokio::test]
async fn clients_of_a_ca_that_is_no_longer_trusted_are_rejected() {
    let certificates = Certificates::issue();
    let files = certificates.mutual("internal/app");
    let server = MutualServer::reloading(files, spiffe("web")).unwrap();
    let handshake = move |tcp| {
        let server = server.clone();
        async move { Some(server.accept(tcp).await.ok()?.stream) }
    };
    let address = serve(handshake).await;
    let client = || certificates.client("internal/web");
    assert!(get(address, "app.internal", client()).await.is_ok());
    let other = Certificates::issue();
    fs::copy(
        other.path("internal/ca.pem"),
        certificates.path("internal/ca.pem.new"),
    )
    .unwrap();
    let trusted = certificates.client("internal/web");
    fs::rename(
        certificates.path("internal/ca.pem.new"),
        certificates.path("internal/ca.pem"),
    )
    .unwrap();
    checks(10).await;
    // The client still trusts the server; the server no longer trusts the client.
    assert!(get(address, "app.internal", trusted).await.is_err());
}

#[test]
fn a_value_that_is_dropped_is_no_longer_watched() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "1").unwrap();
    let held = Arc::new(());
    let load = {
        let held = Arc::clone(&held);
        move || Ok::<_, LoadError>(Arc::clone(&held))
    };
    drop(Reloading::start("a test", vec![file], load).unwrap());
    for _ in 0..100 {
        if Arc::strong_count(&held) == 1 {
            return;
        }
        thread::sleep(INTERVAL);
    }
    panic!("still watched");
}

/// A reloading value parsed from a file with one number.
fn number(file: &std::path::Path) -> Arc<Reloading<u32>> {
    let path = file.to_owned();
    let load = move || {
        let text = fs::read_to_string(&path).map_err(io::Error::other)?;
        text.parse().map_err(io::Error::other)
    };
    Reloading::start("a number", vec![file.to_owned()], load).unwrap()
}

/// Waits for the expected counts.
fn wait_for(reloading: &Reloading<u32>, expected: Reloads) {
    for _ in 0..200 {
        if reloading.reloads() == expected {
            return;
        }
        thread::sleep(INTERVAL);
    }
    panic!("{:?} instead of {expected:?}", reloading.reloads());
}

#[test]
fn successful_and_failed_reloads_are_counted() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "1").unwrap();
    let reloading = number(&file);
    assert_eq!(reloading.reloads(), Reloads::default());
    let expected = |done, failed, failing| Reloads {
        done,
        failed,
        failing,
    };
    fs::write(&file, "22").unwrap();
    wait_for(&reloading, expected(1, 0, false));
    assert_eq!(*reloading.current(), 22);
    // The file is replaced atomically: a check in between finds the old or the new one.
    let replace = |text: &str| {
        fs::write(dir.path().join("new"), text).unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
    };
    replace("none");
    wait_for(&reloading, expected(1, 1, true));
    // Loading is retried, but the failure is counted once.
    thread::sleep(REMINDER * 3);
    wait_for(&reloading, expected(1, 1, true));
    assert_eq!(*reloading.current(), 22);
    replace("333");
    wait_for(&reloading, expected(2, 1, false));
    assert_eq!(*reloading.current(), 333);
    fs::remove_file(&file).unwrap();
    wait_for(&reloading, expected(2, 2, true));
    assert_eq!(*reloading.current(), 333);
}
