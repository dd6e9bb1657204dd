//! The keyring of this process: the configured key service, and the `keys` table.

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

/// The settings of the key service and of the cache of opened keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyServiceSettings {
    /// `KEY_SERVICE`.
    pub(crate) provider: Provider,
    /// `KEY_CACHE_SECONDS`: the time for which an opened branch key is used, at most 300 seconds.
    pub(crate) cache: Duration,
}

/// A key service.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// `development`: a keyring file.
    Development {
        /// `KEYRING_FILE`.
        file: PathBuf,
    },
    /// `aws-kms`.
    AwsKms {
        /// `KMS_ENDPOINT`, unless it is the region's own.
        endpoint: Option<String>,
        /// `KMS_CA_FILE`, unless the endpoint's CA is a public one.
        ca_file: Option<PathBuf>,
        /// `KMS_KEY_ID`: the symmetric root key.
        key_id: String,
        /// `KMS_FORMER_KEY_IDS`: root keys of earlier epochs, which still unwrap keys.
        former_key_ids: Vec<String>,
        /// `KMS_MAC_KEY_ID`: the HMAC key for the index tokens of social security numbers.
        mac_key_id: String,
        /// `AWS_REGION`.
        region: String,
    },
}

/// The keyring. Its clones share one cache.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Keyring<Database>);

impl Keys {
    /// A keyring over the configured key service, which does not have to be available yet.
    ///
    /// # Errors
    ///
    /// An invalid keyring file, CA file or endpoint.
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
                // Checked here, since the SDK panics on a file without a certificate.
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

    /// A verified row; none if it was tampered with, which is reported.
    ///
    /// # Errors
    ///
    /// The key is unavailable.
    pub(crate) async fn verify_untampered<R: AuthenticatedRow>(
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
