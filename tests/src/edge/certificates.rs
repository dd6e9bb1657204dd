//! The certificates of an edge apart, right ones and others.

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

/// The trust domain of what is issued.
const DOMAIN: &str = "stack.internal";

/// The common name of the root between the tiers.
const INTERNAL_CA: &str = "stack internal CA";

/// Everything that `dev_ca` makes, in a folder that goes when this does.
#[derive(Debug)]
pub struct Certificates(TempDir);

impl Certificates {
    /// Issues all of them; the public certificate also holds `name`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn issue(name: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("edge-apart-")
            .tempdir()
            .context("no folder for certificates")?;
        let mut settings = Settings::new(folder.path(), now());
        if name != "localhost" {
            settings.public_names.push(name.to_owned());
        }
        dev_ca::development(&settings)?;
        Ok(Self(folder))
    }

    /// A file, such as `internal/app.pem`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The app's identity towards web, valid today.
    #[must_use]
    pub fn app() -> Leaf {
        let subject = Subject::new(DOMAIN, "app");
        Leaf {
            names: vec!["app.internal".to_owned()],
            uris: vec![Self::spiffe("app")],
            ..Leaf::new(subject, Usage::Server, Validity::days(now(), 30))
        }
    }

    /// The spelling of an identity.
    #[must_use]
    pub fn spiffe(workload: &str) -> String {
        format!("spiffe://{DOMAIN}/{workload}")
    }

    /// A time that is over.
    #[must_use]
    pub fn expired() -> Validity {
        Validity::expired(now())
    }

    /// A time to come.
    #[must_use]
    pub fn not_yet_valid() -> Validity {
        Validity::not_yet(now())
    }

    /// The root between the tiers.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn internal(&self) -> anyhow::Result<DevelopmentCa> {
        let subject = Subject::new(DOMAIN, INTERNAL_CA);
        Ok(DevelopmentCa::load_or_create(
            &self.path("internal"),
            &subject,
            now(),
        )?)
    }

    /// Another root of the very same name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn other_internal() -> anyhow::Result<DevelopmentCa> {
        let subject = Subject::new(DOMAIN, INTERNAL_CA);
        Ok(DevelopmentCa::create(&subject, Validity::days(now(), 30))?)
    }

    /// The TLS of a server that only the holder of a certificate of the root between the tiers may
    /// connect to, with a leaf for an identity.
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

    /// The TLS of a browser that trusts the public root and offers one protocol.
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

    /// The TLS of a client between the tiers that shows web's certificate, and resumes where it can.
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
