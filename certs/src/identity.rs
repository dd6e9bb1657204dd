//! The local certificate and key of a tier.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;

use crate::LoadError;
use crate::peer;
use crate::policy;

/// The paths of an identity's two files.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    /// The leaf certificate, followed by its intermediates if any; PEM.
    pub certificate: PathBuf,
    /// The private key; PEM.
    pub key: PathBuf,
}

/// A certificate chain and the private key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads both files and checks that the certificate matches the key.
    ///
    /// # Errors
    /// [`LoadError`]; its text never quotes the key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, LoadError> {
        let expected = "a PEM certificate chain";
        let failed = |error| LoadError::pem(certificate.to_owned(), expected, error);
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(failed)?;
        if chain.is_empty() {
            return Err(LoadError::Content {
                path: certificate.to_owned(),
                expected,
            });
        }
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| LoadError::pem(key.to_owned(), "a PEM private key", error))?;
        match CertifiedKey::from_der(chain, private, &policy::provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(LoadError::Mismatch {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            }),
            Err(error) => Err(LoadError::Policy(error.into())),
        }
    }

    /// [`Identity::load`] for [`IdentityFiles`].
    ///
    /// # Errors
    /// As [`Identity::load`].
    pub fn load_files(files: &IdentityFiles) -> Result<Self, LoadError> {
        Self::load(&files.certificate, &files.key)
    }

    /// The end of the leaf certificate's validity; the Unix epoch, so expired, if it cannot be
    /// parsed.
    pub(crate) fn not_after(&self) -> UnixTime {
        let leaf = self.0.cert.first();
        let not_after = leaf.and_then(peer::not_after);
        not_after.unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO))
    }

    /// A resolver that presents this identity for every server name.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.0)))
    }
}
