//! The keyring of this process: the key service of the configuration over the `keys` table.

use std::ops::Deref;

use certs::TrustAnchors;
use db::Database;
use phi::{AwsKms, AwsKmsSettings, DevelopmentKeyring, KeyService, Keyring, KeyringSettings};

use crate::config::{KeyServiceConfig, Provider};

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
        config: &KeyServiceConfig,
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
}

impl Deref for Keys {
    type Target = Keyring<Database>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
