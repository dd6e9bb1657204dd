//! The root CAs of a development machine, and the leaves that they sign.

use std::path::Path;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PublicKeyData;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::Duration;
use time::OffsetDateTime;
use x509_parser::parse_x509_certificate;

use super::IssueError;
use super::IssuedLeaf;
use super::Leaf;
use super::Validity;
use super::files;
use super::files::Readable;

/// Validity of a new root, in days.
const ROOT_DAYS: u16 = 3650;
/// Minimum remaining validity of an existing root, in days; a little more than the longest leaf.
const MIN_ROOT_DAYS_LEFT: i64 = 400;

/// The subject of a certificate: `O=<organization>, CN=<name>`, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    organization: String,
    name: String,
}

impl Subject {
    /// The subject `O=organization, CN=name`.
    #[must_use]
    pub fn new(organization: &str, name: &str) -> Self {
        Self {
            organization: organization.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn distinguished_name(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, self.organization.as_str());
        name.push(DnType::CommonName, self.name.as_str());
        name
    }
}

/// A root CA of a development machine: certificate and key.
pub struct DevelopmentCa {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl DevelopmentCa {
    /// Creates a root with a new key; writes no file.
    ///
    /// # Errors
    /// [`IssueError::Certificate`].
    pub fn create(subject: &Subject, validity: Validity) -> Result<Self, IssueError> {
        let key = KeyPair::generate()?;
        let mut params = root_params(subject);
        params.not_before = validity.not_before;
        params.not_after = validity.not_after;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// Loads the root in `dir` (`ca.pem`, `ca.key`), or creates one there if neither file exists.
    ///
    /// # Errors
    /// [`IssueError::IncompleteRoot`] if only one of the files exists; [`IssueError::Root`] if the
    /// existing root has another subject, expires within 400 days, or does not match its key;
    /// [`IssueError::File`]; [`IssueError::Certificate`].
    pub fn load_or_create(
        dir: &Path,
        subject: &Subject,
        now: OffsetDateTime,
    ) -> Result<Self, IssueError> {
        let incomplete = |missing| IssueError::IncompleteRoot {
            path: dir.join(missing),
        };
        match (files::read(dir, "ca.pem")?, files::read(dir, "ca.key")?) {
            (Some(certificate_pem), Some(key_pem)) => {
                let unusable = |why| IssueError::Root {
                    path: dir.join("ca.pem"),
                    why,
                };
                let key = KeyPair::from_pem(&key_pem)
                    .map_err(|_reason_may_quote_the_key| unusable("its key cannot be parsed"))?;
                check_root(&certificate_pem, &key, subject, now).map_err(unusable)?;
                Ok(Self {
                    certificate_pem,
                    issuer: Issuer::new(root_params(subject), key),
                })
            }
            // A new root would replace the remaining file, and peers may still trust the old root.
            (Some(_), None) => Err(incomplete("ca.key")),
            (None, Some(_)) => Err(incomplete("ca.pem")),
            (None, None) => Self::create_in(dir, subject, now),
        }
    }

    /// Creates a root, and writes its files into `dir`.
    fn create_in(dir: &Path, subject: &Subject, now: OffsetDateTime) -> Result<Self, IssueError> {
        let ca = Self::create(subject, Validity::days(now, ROOT_DAYS))?;
        files::replace(
            dir,
            "ca.key",
            &ca.issuer.key().serialize_pem(),
            Readable::ByOwner,
        )?;
        files::replace(dir, "ca.pem", &ca.certificate_pem, Readable::ByAll)?;
        Ok(ca)
    }

    /// Issues a leaf with a new key.
    ///
    /// # Errors
    /// [`IssueError::Name`], [`IssueError::Certificate`].
    pub fn issue(&self, leaf: &Leaf) -> Result<IssuedLeaf, IssueError> {
        let key = KeyPair::generate()?;
        let certificate = leaf.params()?.signed_by(&key, &self.issuer)?;
        Ok(IssuedLeaf {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// The root's certificate: the trust anchor of its peers.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }
}

fn root_params(subject: &Subject) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished_name();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn check_root(
    pem: &str,
    key: &KeyPair,
    subject: &Subject,
    now: OffsetDateTime,
) -> Result<(), &'static str> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_no_detail_helps| "it is not a PEM certificate")?;
    let (_, root) = parse_x509_certificate(&der)
        .map_err(|_no_detail_helps| "it is not an X.509 certificate")?;
    let first = |mut values: Vec<String>| values.drain(..).next().unwrap_or_default();
    let text = |name: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        name.as_str().map(str::to_owned).unwrap_or_default()
    };
    let found = Subject {
        organization: first(root.subject().iter_organization().map(text).collect()),
        name: first(root.subject().iter_common_name().map(text).collect()),
    };
    if found != *subject {
        return Err("it is the root of another trust domain");
    }
    if root.public_key().raw != key.subject_public_key_info() {
        return Err("it does not match its key");
    }
    if root.validity().not_after.to_datetime() < now + Duration::days(MIN_ROOT_DAYS_LEFT) {
        return Err("it expires too soon");
    }
    Ok(())
}
