//! The certificates of a standalone edge, valid and invalid.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use dev_ca::DevelopmentCa;
use dev_ca::IssuedLeaf;
use dev_ca::Leaf;
use dev_ca::Settings;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use time::OffsetDateTime;

/// The trust domain of all certificates.
const TRUST_DOMAIN: &str = product::TRUST_DOMAIN;

/// The common name of the root for mTLS between the tiers.
const INTERNAL_CA: &str = "stack internal CA";

/// The certificates of `dev_ca`, in a folder that is removed when this is dropped.
#[derive(Debug)]
pub struct Certificates(TempDir);

impl Certificates {
    /// Issues all certificates; the public one also has the DNS name `name`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn issue(name: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("standalone-edge-")
            .tempdir()
            .context("no folder for certificates")?;
        let mut settings = Settings::new(folder.path(), now());
        if name != "localhost" {
            settings.public_names.push(name.to_owned());
        }
        dev_ca::development(&settings)?;
        Ok(Self(folder))
    }

    /// The path of a file, such as `internal/app.pem`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server certificate with app's identity, valid today.
    #[must_use]
    pub fn app() -> Leaf {
        let subject = Subject::new(TRUST_DOMAIN, "app");
        Leaf {
            names: vec!["app.internal".to_owned()],
            uris: vec![Self::spiffe("app")],
            ..Leaf::new(subject, Usage::Server, Validity::days(now(), 30))
        }
    }

    /// The SPIFFE ID of a workload.
    #[must_use]
    pub fn spiffe(workload: &str) -> String {
        format!("spiffe://{TRUST_DOMAIN}/{workload}")
    }

    /// A validity in the past.
    #[must_use]
    pub fn expired() -> Validity {
        Validity::expired(now())
    }

    /// A validity in the future.
    #[must_use]
    pub fn not_yet_valid() -> Validity {
        Validity::not_yet(now())
    }

    /// The root for mTLS between the tiers.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn internal(&self) -> anyhow::Result<DevelopmentCa> {
        let subject = Subject::new(TRUST_DOMAIN, INTERNAL_CA);
        Ok(DevelopmentCa::load_or_create(
            &self.path("internal"),
            &subject,
            now(),
        )?)
    }

    /// Another root with the same name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn other_internal() -> anyhow::Result<DevelopmentCa> {
        let subject = Subject::new(TRUST_DOMAIN, INTERNAL_CA);
        Ok(DevelopmentCa::create(&subject, Validity::days(now(), 30))?)
    }

    /// The TLS configuration of a server with this leaf, which requires a client certificate of the
    /// internal root.
    ///
    /// # Errors
    /// When the TLS library refuses the leaf.
    pub fn mutual_server(&self, leaf: &IssuedLeaf) -> anyhow::Result<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(self.roots("internal/ca.pem")?);
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let chain = CertificateDer::pem_slice_iter(leaf.certificate_pem.as_bytes());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(clients.build()?)
            .with_single_cert(
                chain.collect::<Result<_, _>>()?,
                PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes())?,
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The TLS configuration of a browser that trusts the public root and offers one protocol of
    /// ALPN.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn browser(&self, protocol: &[u8]) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots("public/ca.pem")?)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(config)
    }

    /// The TLS configuration of a client with web's certificate, which resumes sessions.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn mutual_client(&self) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = CertificateDer::pem_file_iter(self.path("internal/web.pem"))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots("internal/ca.pem")?)
            .with_client_auth_cert(
                chain.collect::<Result<_, _>>()?,
                PrivateKeyDer::from_pem_file(self.path("internal/web.key"))?,
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn roots(&self, name: &str) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path(name))?)?;
        Ok(roots)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are judged by today's date"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
