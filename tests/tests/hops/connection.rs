//! HTTP/1.1 requests as bytes, with TLS or in plaintext.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use dev_ca::IssuedLeaf;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest wait for a response that may never arrive.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A certificate chain and its key.
pub(super) type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The chain and key of an issued leaf.
pub(super) fn chain_of(leaf: &IssuedLeaf) -> Chain {
    chain(leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes())
}

/// The chain and key from PEM.
pub(super) fn chain(certificate: &[u8], key: &[u8]) -> Chain {
    let certificates = CertificateDer::pem_slice_iter(certificate);
    (
        certificates.collect::<Result<_, _>>().unwrap(),
        PrivateKeyDer::from_pem_slice(key).unwrap(),
    )
}

/// A TLS client that trusts one CA, with or without a client certificate.
pub(super) fn client(authority: &[u8], show: Option<Chain>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match show {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// Requests a path over TLS. Returns the response, which is empty if the handshake fails.
pub(super) async fn get(tls: ClientConfig, name: &str, port: u16, path: &str) -> String {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let handshake = TlsConnector::from(Arc::new(tls)).connect(name.clone(), stream);
    match handshake.await {
        Ok(stream) => exchange(stream, &request(&name.to_str(), path)).await,
        Err(_) => String::new(),
    }
}

/// Requests a path in plaintext.
pub(super) async fn get_plaintext(port: u16, path: &str) -> String {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    exchange(stream, &request("localhost", path)).await
}

fn request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// Sends a request, and reads until the server closes or the connection fails.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let mut response = Vec::new();
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut response).await
    };
    // A connection may end with an error; the bytes before it count.
    let _ = tokio::time::timeout(TIMEOUT, talk).await;
    String::from_utf8_lossy(&response).into_owned()
}
