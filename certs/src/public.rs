//! The TLS server of the public edge.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::Identity;
use crate::IdentityFiles;
use crate::LoadError;
use crate::Reloading;
use crate::Reloads;
use crate::Versions;
use crate::policy;

/// The TLS server of the public edge. New connections use a new certificate within two seconds;
/// open connections keep theirs.
#[derive(Clone)]
pub struct PublicServer(Arc<Reloading<ServerConfig>>);

impl PublicServer {
    /// Loads the certificate and watches its files.
    ///
    /// # Errors
    /// [`LoadError`], if the files cannot be used now.
    pub fn reloading(identity: IdentityFiles, versions: Versions) -> Result<Self, LoadError> {
        let tickets = policy::rotating_tickets()?;
        let files: Vec<PathBuf> = vec![identity.certificate.clone(), identity.key.clone()];
        let load = move || {
            let identity = Identity::load_files(&identity)?;
            Ok(policy::public_server(
                &identity,
                versions,
                Arc::clone(&tickets),
            )?)
        };
        Ok(Self(Reloading::start(
            "the public certificate",
            files,
            load,
        )?))
    }

    /// The reloads of the certificate.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.0.reloads()
    }

    /// The TLS configuration for one handshake, with the current certificate.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.current()
    }
}
