//! Bytes on the wire, with TLS or without.

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

/// How long is waited for an answer that may never come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate chain and its key.
pub(super) type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads an issued leaf.
pub(super) fn chain_of(leaf: &IssuedLeaf) -> Chain {
    chain(leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes())
}

/// Reads a leaf from PEM.
pub(super) fn chain(certificate: &[u8], key: &[u8]) -> Chain {
    let certificates = CertificateDer::pem_slice_iter(certificate);
    (
        certificates.collect::<Result<_, _>>().unwrap(),
        PrivateKeyDer::from_pem_slice(key).unwrap(),
    )
}

/// A TLS client that trusts one CA and shows a certificate or none.
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

/// Asks for a path over TLS; what came back, which is nothing where the server let nobody in.
pub(super) async fn ask(tls: ClientConfig, name: &str, port: u16, path: &str) -> String {
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

/// Asks for a path in the clear.
pub(super) async fn ask_in_the_clear(port: u16, path: &str) -> String {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    exchange(stream, &request("localhost", path)).await
}

fn request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// Sends, and reads until the other side is done or breaks off.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    // An error is one way of being refused; what came before it counts.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
    String::from_utf8_lossy(&answer).into_owned()
}
