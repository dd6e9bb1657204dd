//! The identity of a peer, and the certificate verifiers that require it.

use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::CommonState;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::OtherError;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::SpiffeId;

/// The verified identity of a connection's peer: evidence of a completed handshake in which the
/// peer proved possession of the key of a certificate with this name, issued by the internal CA. It
/// cannot be made in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity(SpiffeId);

impl PeerIdentity {
    /// The name in the peer's certificate.
    #[must_use]
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.0
    }

    /// Checks the peer of a finished handshake once more. Returns its identity and the end of its
    /// certificate's validity.
    pub(crate) fn verify(
        connection: &CommonState,
        expected: &SpiffeId,
    ) -> Result<(Self, UnixTime), PeerError> {
        let chain = connection
            .peer_certificates()
            .ok_or(PeerError::NoCertificate)?;
        let leaf = chain.first().ok_or(PeerError::NoCertificate)?;
        let identity = check(leaf, expected).map(Self)?;
        Ok((identity, not_after(leaf).ok_or(PeerError::Unreadable)?))
    }
}

/// A mismatch between a peer with a valid certificate and the expected peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The peer sent no certificate.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The certificate cannot be parsed.
    #[error("the peer's certificate cannot be parsed")]
    Unreadable,
    /// The certificate names no workload, or more than one.
    #[error("the peer's certificate has {0} URI names, not one SPIFFE id")]
    Names(usize),
    /// The certificate names another workload.
    #[error("the peer is {found}, expected {expected}")]
    UnexpectedIdentity {
        /// The name in the certificate.
        found: String,
        /// The expected name.
        expected: SpiffeId,
    },
}

/// The end of a certificate's validity; `None` if the certificate cannot be parsed or expired
/// before 1970.
pub(crate) fn not_after(leaf: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, leaf) = parse_x509_certificate(leaf).ok()?;
    let seconds = u64::try_from(leaf.validity().not_after.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// Checks that `leaf` has exactly one URI name, equal to `expected`.
fn check(leaf: &CertificateDer<'_>, expected: &SpiffeId) -> Result<SpiffeId, PeerError> {
    let (_, leaf) =
        parse_x509_certificate(leaf).map_err(|_nothing_to_add| PeerError::Unreadable)?;
    let names = leaf
        .subject_alternative_name()
        .map_err(|_two_extensions_or_a_broken_one| PeerError::Unreadable)?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| {
            if let GeneralName::URI(uri) = name {
                Some(*uri)
            } else {
                None
            }
        })
        .collect();
    match uris.as_slice() {
        [uri] if *uri == expected.as_str() => Ok(expected.clone()),
        [uri] => Err(PeerError::UnexpectedIdentity {
            found: (*uri).to_owned(),
            expected: expected.clone(),
        }),
        other => Err(PeerError::Names(other.len())),
    }
}

/// [`check`], with the error type of the TLS library.
fn check_in_handshake(leaf: &CertificateDer<'_>, expected: &SpiffeId) -> Result<(), Error> {
    check(leaf, expected).map(drop).map_err(|error| {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    })
}

/// A verifier that accepts a client certificate if it chains to the internal CA *and* carries
/// exactly one URI name, the expected SPIFFE id.
#[derive(Debug)]
pub(crate) struct SpiffeClientVerifier {
    pub(crate) chain: Arc<dyn ClientCertVerifier>,
    pub(crate) peer: SpiffeId,
}

impl ClientCertVerifier for SpiffeClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        check_in_handshake(end_entity, &self.peer)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A verifier that accepts a server certificate if it chains to the internal CA, is valid for the
/// host name dialled, *and* carries exactly one URI name, the expected SPIFFE id.
#[derive(Debug)]
pub(crate) struct SpiffeServerVerifier {
    pub(crate) chain: Arc<WebPkiServerVerifier>,
    pub(crate) peer: SpiffeId,
}

impl ServerCertVerifier for SpiffeServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.chain.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        check_in_handshake(end_entity, &self.peer)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
