//! The keyring of this process: the key service of the configuration over the `keys` table.

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use certs::TrustAnchors;
use db::Database;
use phi::AuthenticatedRow;
use phi::AwsKms;
use phi::AwsKmsSettings;
use phi::DevelopmentKeyring;
use phi::KeyError;
use phi::KeyService;
use phi::Keyring;
use phi::KeyringSettings;
use phi::OpenError;
use phi::OrganizationId;
use phi::Verified;

/// The key service, and how long what it opened may be kept.
#[derive(Clone, Debug)]
pub(crate) struct KeyServiceSettings {
    /// `KEY_SERVICE`.
    pub(crate) provider: Provider,
    /// `KEY_CACHE_SECONDS`: at most 300, counted from a branch key's opening.
    pub(crate) cache: Duration,
}

/// Which key service.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// `development`: a keyring file.
    Development {
        /// `KEYRING_FILE`.
        file: PathBuf,
    },
    /// `aws-kms`.
    AwsKms {
        /// `KMS_ENDPOINT`, where it is not the region's own.
        endpoint: Option<String>,
        /// `KMS_CA_FILE`, where the endpoint's CA is not a public one.
        ca_file: Option<PathBuf>,
        /// `KMS_KEY_ID`: the root key, symmetric.
        key_id: String,
        /// `KMS_FORMER_KEY_IDS`: root keys of earlier epochs, which still open what they wrapped.
        former_key_ids: Vec<String>,
        /// `KMS_MAC_KEY_ID`: the HMAC key for social security numbers.
        mac_key_id: String,
        /// `AWS_REGION`.
        region: String,
    },
}

/// The keyring, to be cloned freely.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Keyring<Database>);

impl Keys {
    /// Connects to the key service. It need not answer yet: what is not open stays closed until it does.
    ///
    /// # Errors
    ///
    /// What is wrong with the keyring file or the endpoint.
    pub(crate) async fn connect(
        config: &KeyServiceSettings,
        database: Database,
    ) -> anyhow::Result<Self> {
        let service = match &config.provider {
            Provider::Development { file } => {
                KeyService::Development(DevelopmentKeyring::load(file)?)
            }
            Provider::AwsKms {
                endpoint,
                ca_file,
                key_id,
                former_key_ids,
                mac_key_id,
                region,
            } => {
                // The SDK panics on a file that holds no certificate.
                ca_file
                    .as_deref()
                    .map(TrustAnchors::from_pem_file)
                    .transpose()?;
                let certificate_authority = ca_file.as_ref().map(std::fs::read).transpose()?;
                let settings = AwsKmsSettings {
                    region: Some(region.clone()),
                    endpoint: endpoint.clone(),
                    certificate_authority,
                    root: key_id.clone(),
                    former_roots: former_key_ids.clone(),
                    mac_key: mac_key_id.clone(),
                };
                KeyService::Aws(AwsKms::connect(settings).await?)
            }
        };
        let settings = KeyringSettings {
            cache: config.cache,
            ..KeyringSettings::default()
        };
        Ok(Self(Keyring::new(service, database, settings)))
    }

    /// A verified row; nothing for one that was tampered with, which was reported and authenticates no one.
    ///
    /// # Errors
    ///
    /// The key cannot be had.
    pub(crate) async fn verified<R: AuthenticatedRow>(
        &self,
        organization: OrganizationId,
        row: R,
    ) -> Result<Option<Verified<R>>, KeyError> {
        match self.0.verify(organization, row).await {
            Ok(row) => Ok(Some(row)),
            Err(OpenError::Tampered(_)) => Ok(None),
            Err(OpenError::Key(error)) => Err(error),
        }
    }
}

impl Deref for Keys {
    type Target = Keyring<Database>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
