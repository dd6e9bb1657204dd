use std::{path::PathBuf, sync::Arc};

use rustls::ServerConfig;

use crate::{
    Identity, IdentityFiles, LoadError, Reloading, Reloads, SpiffeId, TrustAnchors, Versions,
    policy,
};

/// The TLS side of the public edge. A new certificate is taken up within two seconds; connections
/// that stand stay as they are.
#[derive(Clone)]
pub struct PublicServer(Arc<Reloading<ServerConfig>>);

impl PublicServer {
    /// Loads the certificate, and goes on watching its files.
    ///
    /// # Errors
    /// [`LoadError`], if what is there now can't be used.
    pub fn reloading(identity: IdentityFiles, versions: Versions) -> Result<Self, LoadError> {
        let tickets = policy::rotating_tickets()?;
        let files = vec![identity.certificate.clone(), identity.key.clone()];
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

    /// How often the certificate was taken up anew.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.0.reloads()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.current()
    }
}

/// The files of one side of a mutual connection.
#[derive(Clone, Debug)]
pub struct MutualFiles {
    /// Our certificate and key.
    pub identity: IdentityFiles,
    /// The CA that the other side's certificate must lead to.
    pub anchors: PathBuf,
}

impl MutualFiles {
    pub(crate) fn list(&self) -> Vec<PathBuf> {
        vec![
            self.identity.certificate.clone(),
            self.identity.key.clone(),
            self.anchors.clone(),
        ]
    }

    pub(crate) fn load(&self) -> Result<(Identity, TrustAnchors), LoadError> {
        let identity = Identity::load_files(&self.identity)?;
        Ok((identity, TrustAnchors::from_pem_file(&self.anchors)?))
    }
}

/// The TLS side of a tier that one other tier may connect to, and nobody else.
#[derive(Clone)]
pub struct MutualServer {
    config: Arc<Reloading<ServerConfig>>,
    client: SpiffeId,
}

impl MutualServer {
    /// Loads our identity and the trust anchors, and goes on watching their files.
    ///
    /// # Errors
    /// [`LoadError`], if what is there now can't be used.
    pub fn reloading(files: MutualFiles, client: SpiffeId) -> Result<Self, LoadError> {
        let expected = client.clone();
        let list = files.list();
        let load = move || {
            let (identity, anchors) = files.load()?;
            Ok(policy::mutual_server(&identity, &anchors, &expected)?)
        };
        let config = Reloading::start("our identity as a server", list, load)?;
        Ok(Self { config, client })
    }

    /// How often our identity and the trust anchors were taken up anew.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.config.reloads()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.current()
    }

    pub(crate) fn client(&self) -> &SpiffeId {
        &self.client
    }
}
