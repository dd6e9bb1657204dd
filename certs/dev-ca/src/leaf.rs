//! Leaf certificates: their contents, and the files that they are written to.

use std::path::Path;

use rcgen::CertificateParams;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyUsagePurpose;
use rcgen::SanType;
use rcgen::string::Ia5String;

use super::IssueError;
use super::Subject;
use super::Validity;
use super::files;
use super::files::Readable;

/// The extended key usage of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// TLS server authentication.
    Server,
    /// TLS client authentication.
    Client,
}

/// The contents of a leaf certificate to issue; tests make some of them wrong on purpose.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The subject. MySQL identifies clients by it.
    pub subject: Subject,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// URI names; an identity has exactly one, its SPIFFE id.
    pub uris: Vec<String>,
    /// The extended key usage.
    pub usage: Usage,
    /// The validity period.
    pub validity: Validity,
}

impl Leaf {
    /// A leaf without DNS, IP and URI names.
    #[must_use]
    pub fn new(subject: Subject, usage: Usage, validity: Validity) -> Self {
        Self {
            subject,
            names: Vec::new(),
            uris: Vec::new(),
            usage,
            validity,
        }
    }

    pub(super) fn params(&self) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        for name in &self.names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(ia5(name)?),
            });
        }
        for uri in &self.uris {
            params.subject_alt_names.push(SanType::URI(ia5(uri)?));
        }
        params.distinguished_name = self.subject.distinguished_name();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        params.not_before = self.validity.not_before;
        params.not_after = self.validity.not_after;
        Ok(params)
    }
}

fn ia5(name: &str) -> Result<Ia5String, IssueError> {
    Ia5String::try_from(name).map_err(|_not_ascii| IssueError::Name {
        name: name.to_owned(),
    })
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct IssuedLeaf {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: String,
}

impl IssuedLeaf {
    /// Writes `<name>.pem` and `<name>.key` (mode 0600) into `dir`.
    ///
    /// # Errors
    /// [`IssueError::File`].
    pub fn write(&self, dir: &Path, name: &str) -> Result<(), IssueError> {
        files::replace(
            dir,
            &format!("{name}.key"),
            &self.key_pem,
            Readable::ByOwner,
        )?;
        files::replace(
            dir,
            &format!("{name}.pem"),
            &self.certificate_pem,
            Readable::ByAll,
        )
    }
}
