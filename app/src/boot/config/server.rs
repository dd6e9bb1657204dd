//! The configuration of the listener and its mutual TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use certs::SpiffeId;
use settings::Reader;
use settings::Reported;
use settings::section;

/// The listener: its address, and the server side of mutual TLS.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// `APP_LISTEN`.
    pub(crate) listen: SocketAddr,
    /// `APP_PUBLIC_ORIGIN`: the origin that browsers see, in its ASCII serialization.
    pub(crate) public_origin: String,
    /// `APP_TLS_CERTIFICATE_FILE`.
    pub(crate) certificate_file: PathBuf,
    /// `APP_TLS_KEY_FILE`.
    pub(crate) key_file: PathBuf,
    /// `APP_TLS_CLIENT_CA_FILE`.
    pub(crate) client_ca_file: PathBuf,
    /// `APP_TLS_CLIENT_IDENTITY`: the only client identity that is accepted.
    pub(crate) client_identity: SpiffeId,
    /// `APP_DRAIN_SECONDS`: the time that requests in flight may take after SIGTERM.
    pub(crate) drain: Duration,
}

impl ServerConfig {
    pub(super) fn read(reader: &Reader) -> Result<Self, Reported> {
        section!(Self {
            listen: reader.required(
                "APP_LISTEN",
                "an address and a port, such as 127.0.0.1:9443",
            ),
            public_origin: origin(reader),
            certificate_file: reader.file(
                "APP_TLS_CERTIFICATE_FILE",
                "a PEM file with the app's certificate chain",
            ),
            key_file: reader.file("APP_TLS_KEY_FILE", "a PEM file with the app's private key"),
            client_ca_file: reader
                .file("APP_TLS_CLIENT_CA_FILE", "a PEM file with the internal CA"),
            client_identity: reader.required(
                "APP_TLS_CLIENT_IDENTITY",
                "the web tier's identity, such as spiffe://example.internal/web",
            ),
            drain: reader.seconds("APP_DRAIN_SECONDS", 10, 0..=300),
        })
    }
}

fn origin(reader: &Reader) -> Result<String, Reported> {
    const EXPECTED: &str = "the origin that browsers see, such as https://localhost:8443";
    let url: url::Url = reader.required("APP_PUBLIC_ORIGIN", EXPECTED)?;
    if url.scheme() == "https" && url.path() == "/" && url.query().is_none() {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(reader.reject("APP_PUBLIC_ORIGIN", "is not an origin", EXPECTED))
    }
}
