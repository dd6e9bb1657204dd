//! Client → web.

use rustls::ClientConfig;
use tests::RunningStack;

use super::connection::client;
use super::connection::get;
use super::connection::get_plaintext;

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

fn public_ca(running: &RunningStack) -> Vec<u8> {
    std::fs::read(running.status.certificates.join("public/ca.pem")).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_public_ca_gets_a_response() {
    let running = RunningStack::shared().unwrap();
    let tls = client(&public_ca(&running), None);
    let response = get(
        tls,
        "localhost",
        port(&running.status.web.address),
        "/healthz",
    )
    .await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn a_plain_http_request_to_the_tls_port_gets_no_response() {
    let running = RunningStack::shared().unwrap();
    let response = get_plaintext(port(&running.status.web.address), "/sign-in").await;
    assert!(
        !response.contains("HTTP/") && !response.contains("html"),
        "{response}"
    );
}

#[tokio::test]
async fn a_plain_http_request_to_the_redirect_port_is_redirected_to_https() {
    let running = RunningStack::shared().unwrap();
    let plain = port(&running.status.web.redirect);
    for path in [
        "/",
        "/sign-in",
        "/healthz",
        "/patients",
        "/fhir/metadata",
        "/api/v1/session",
    ] {
        let response = get_plaintext(plain, path).await;
        assert!(
            response.starts_with("HTTP/1.1 308") || response.starts_with("HTTP/1.1 301"),
            "{response}"
        );
        let location = format!("location: {}{path}\r\n", running.status.web.address);
        assert!(
            response.to_lowercase().contains(&location.to_lowercase()),
            "{response}"
        );
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(body.len() < 100, "{body}");
    }
}

#[tokio::test]
async fn a_client_with_another_server_name_or_another_ca_refuses_web() {
    let running = RunningStack::shared().unwrap();
    let port = port(&running.status.web.address);
    let response = get(
        client(&public_ca(&running), None),
        "app.internal",
        port,
        "/healthz",
    )
    .await;
    assert_eq!(response, "");
    let internal = std::fs::read(running.status.certificates.join("internal/ca.pem")).unwrap();
    assert_eq!(
        get(client(&internal, None), "localhost", port, "/healthz").await,
        ""
    );
}

#[tokio::test]
async fn tls_before_1_3_is_refused() {
    let running = RunningStack::shared().unwrap();
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
    let response = get(
        old,
        "localhost",
        port(&running.status.web.address),
        "/healthz",
    )
    .await;
    assert_eq!(response, "");
}
