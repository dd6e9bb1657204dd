//! The TLS policy. Every TLS configuration of the tiers is built here; the only setting is
//! [`Versions`].

use std::sync::Arc;
use std::sync::LazyLock;

use rustls::ClientConfig;
use rustls::ServerConfig;
use rustls::SupportedCipherSuite;
use rustls::SupportedProtocolVersion;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::crypto::aws_lc_rs::cipher_suite as suite;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::server::NoServerSessionStorage;
use rustls::server::ProducesTickets;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS12;
use rustls::version::TLS13;

use crate::Identity;
use crate::SpiffeId;
use crate::TrustAnchors;
use crate::peer::SpiffeClientVerifier;
use crate::peer::SpiffeServerVerifier;

/// The ALPN protocols of the public edge, in order of preference.
const ALPN_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS versions of the public edge. Between the tiers the version is always 1.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3.
    #[default]
    Tls13,
    /// TLS 1.3, and for older clients 1.2 with AEAD suites and forward secrecy.
    Tls12AndTls13,
}

impl Versions {
    fn list(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static NEWEST: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::Tls13 => &NEWEST,
            Self::Tls12AndTls13 => &BOTH,
        }
    }
}

/// The TLS library rejects the policy, or the certificate or anchors that it is applied to.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The library rejects a certificate, a key or a setting.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The library rejects the trust anchors.
    #[error("the trust anchors: {0}")]
    Anchors(#[from] rustls::server::VerifierBuilderError),
}

/// The cipher suites and key exchange groups, listed in full: an update of the library does not
/// change them.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    };
    if cfg!(feature = "fips") {
        provider.cipher_suites.retain(SupportedCipherSuite::fips);
        provider.kx_groups.retain(|group| group.fips());
    }
    Arc::new(provider)
});

/// Whether all TLS cryptography runs in the FIPS-validated module, as the library reports at run
/// time: true only in a build with the feature `fips`.
#[must_use]
pub fn is_fips() -> bool {
    PROVIDER.fips()
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// The session ticket keys of the public edge: rotated every six hours, kept only in memory.
pub(crate) fn rotating_tickets() -> Result<Arc<dyn ProducesTickets>, PolicyError> {
    Ok(Ticketer::new()?)
}

/// The TLS configuration of the public edge: any client, no client certificate.
pub(crate) fn public_server(
    identity: &Identity,
    versions: Versions,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, PolicyError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions.list())?
        .with_no_client_auth()
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = ALPN_PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config.ticketer = tickets;
    config.require_ems = true;
    // One ticket is enough: each resumption brings the client a new one.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The TLS configuration of a tier that accepts only `client`. Sessions are never resumed: a
/// resumed session skips the verification of the peer, and so ignores a change of trust anchors.
pub(crate) fn mutual_server(
    identity: &Identity,
    anchors: &TrustAnchors,
    client: &SpiffeId,
) -> Result<ServerConfig, PolicyError> {
    let chain = WebPkiClientVerifier::builder_with_provider(anchors.store(), provider()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(Versions::Tls13.list())?
        .with_client_cert_verifier(Arc::new(SpiffeClientVerifier {
            chain,
            peer: client.clone(),
        }))
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The TLS configuration of a tier that connects only to the workload `server`: another workload is
/// rejected even if its certificate is valid for the host name.
///
/// # Errors
/// [`PolicyError`], if the TLS library rejects the certificate, the key or the anchors.
pub fn mutual_client(
    identity: &Identity,
    anchors: &TrustAnchors,
    server: &SpiffeId,
) -> Result<ClientConfig, PolicyError> {
    let chain = WebPkiServerVerifier::builder_with_provider(anchors.store(), provider()).build()?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(Versions::Tls13.list())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SpiffeServerVerifier {
            chain,
            peer: server.clone(),
        }))
        .with_client_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The TLS configuration for an HTTPS server that requests no client certificate: a trace
/// collector, or this stack's edge. It trusts only `anchors`; ALPN is HTTP/1.1.
///
/// # Errors
/// [`PolicyError`], if the TLS library rejects the certificate, the key or the anchors.
pub fn https_client(anchors: &TrustAnchors) -> Result<ClientConfig, PolicyError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(Versions::Tls13.list())?
        .with_root_certificates(anchors.store())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests;
