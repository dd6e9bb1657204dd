use std::path::PathBuf;

use crate::WatchError;

/// Why a certificate, a key or trust anchors could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there, or may not be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file does not hold what it should; half of a file reads like this too.
    #[error("{path}: expected {expected}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// The certificate was issued for another key.
    #[error("{certificate} and {key} do not belong together")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The library refuses what was loaded.
    #[error("can't be used for TLS: {0}")]
    Policy(#[from] crate::PolicyError),
    /// The thread that watches the files did not start.
    #[error("can't watch the files for changes: {0}")]
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
    /// A failure of the PEM reader: the system's, or the content's.
    pub(crate) fn pem(
        path: PathBuf,
        expected: &'static str,
        error: rustls::pki_types::pem::Error,
    ) -> Self {
        // The other variants quote the file, which may be a private key.
        if let rustls::pki_types::pem::Error::Io(source) = error {
            return Self::File { path, source };
        }
        Self::Content { path, expected }
    }
}
