//! The roots that peers' certificates must chain to.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::LoadError;

/// The root certificates that a peer's certificate must chain to. The roots of the system and of
/// the public web are never added.
#[derive(Clone, Debug)]
pub struct TrustAnchors(Arc<RootCertStore>);

impl TrustAnchors {
    /// Reads the certificates of a PEM file: more than one while a root is being replaced.
    ///
    /// # Errors
    /// [`LoadError::File`]; [`LoadError::Content`] if the file has no certificate, or one that
    /// cannot be parsed.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let expected = "the PEM certificates of one or more CAs";
        let content = || LoadError::Content {
            path: path.to_owned(),
            expected,
        };
        let mut store = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(path)
            .map_err(|error| LoadError::pem(path.to_owned(), expected, error))?;
        for certificate in certificates {
            let certificate =
                certificate.map_err(|error| LoadError::pem(path.to_owned(), expected, error))?;
            store
                .add(certificate)
                .map_err(|_no_detail_helps| content())?;
        }
        if store.is_empty() {
            return Err(content());
        }
        Ok(Self(Arc::new(store)))
    }

    pub(crate) fn store(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}
