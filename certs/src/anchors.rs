use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::LoadError;

/// The roots that a peer's certificate must lead to. There are no others: the system's roots and
/// the public web's are never added.
#[derive(Clone, Debug)]
pub struct TrustAnchors(Arc<RootCertStore>);

impl TrustAnchors {
    /// Reads the certificates of a PEM file; two stand in it while a root is replaced.
    ///
    /// # Errors
    /// [`LoadError::File`]; [`LoadError::Content`] if it holds none, or one that can't be read.
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
                .map_err(|_which_part_is_wrong_helps_nobody| content())?;
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
