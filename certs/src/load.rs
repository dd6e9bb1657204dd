//! The errors of loading certificates, keys and trust anchors.

use std::path::PathBuf;

use crate::WatchError;

/// A failure to load a certificate, a key or trust anchors.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file does not exist or cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file does not contain what is expected; also the case for a half-written file.
    #[error("{path}: expected {expected}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
    },
    /// The certificate was issued for another key.
    #[error("the certificate in {certificate} is not for the key in {key}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The TLS library rejects the loaded files.
    #[error("cannot be used for TLS: {0}")]
    Policy(#[from] crate::PolicyError),
    /// The thread that watches the files did not start.
    #[error("cannot watch the files for changes: {0}")]
    Watch(std::io::Error),
}

impl From<WatchError<Self>> for LoadError {
    fn from(error: WatchError<Self>) -> Self {
        match error {
            WatchError::Load(error) => error,
            WatchError::Thread(error) => Self::Watch(error),
        }
    }
}

impl LoadError {
    /// The error for a failure of the PEM reader: [`Self::File`] or [`Self::Content`].
    pub(crate) fn pem(
        path: PathBuf,
        expected: &'static str,
        error: rustls::pki_types::pem::Error,
    ) -> Self {
        // The other variants quote the file, which may be a private key: they are dropped.
        if let rustls::pki_types::pem::Error::Io(source) = error {
            return Self::File { path, source };
        }
        Self::Content { path, expected }
    }
}
