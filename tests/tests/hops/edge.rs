//! Browser → web.

use rustls::ClientConfig;
use tests::Running;

use super::wire::ask;
use super::wire::ask_in_the_clear;
use super::wire::client;

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

fn public_ca(running: &Running) -> Vec<u8> {
    std::fs::read(running.status.certificates.join("public/ca.pem")).unwrap()
}

#[tokio::test]
async fn a_browser_that_trusts_the_public_ca_is_answered() {
    let running = Running::shared().unwrap();
    let tls = client(&public_ca(&running), None);
    let answer = ask(
        tls,
        "localhost",
        port(&running.status.web.address),
        "/healthz",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_answer() {
    let running = Running::shared().unwrap();
    let answer = ask_in_the_clear(port(&running.status.web.address), "/sign-in").await;
    assert!(
        !answer.contains("HTTP/") && !answer.contains("html"),
        "{answer}"
    );
}

#[tokio::test]
async fn plain_http_on_the_other_port_is_only_ever_sent_to_https() {
    let running = Running::shared().unwrap();
    let plain = port(&running.status.web.redirect);
    for path in [
        "/",
        "/sign-in",
        "/healthz",
        "/patients",
        "/fhir/metadata",
        "/api/v1/session",
    ] {
        let answer = ask_in_the_clear(plain, path).await;
        assert!(
            answer.starts_with("HTTP/1.1 308") || answer.starts_with("HTTP/1.1 301"),
            "{answer}"
        );
        let location = format!("location: {}{path}\r\n", running.status.web.address);
        assert!(
            answer.to_lowercase().contains(&location.to_lowercase()),
            "{answer}"
        );
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.len() < 100, "{body}");
    }
}

#[tokio::test]
async fn a_client_that_asks_for_another_name_or_trusts_another_ca_finds_no_web() {
    let running = Running::shared().unwrap();
    let port = port(&running.status.web.address);
    let answer = ask(
        client(&public_ca(&running), None),
        "app.internal",
        port,
        "/healthz",
    )
    .await;
    assert_eq!(answer, "");
    let internal = std::fs::read(running.status.certificates.join("internal/ca.pem")).unwrap();
    assert_eq!(
        ask(client(&internal, None), "localhost", port, "/healthz").await,
        ""
    );
}

#[tokio::test]
async fn tls_before_1_3_is_refused() {
    let running = Running::shared().unwrap();
    let authority =
        rustls::pki_types::pem::PemObject::from_pem_slice(&public_ca(&running)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let answer = ask(
        old,
        "localhost",
        port(&running.status.web.address),
        "/healthz",
    )
    .await;
    assert_eq!(answer, "");
}
