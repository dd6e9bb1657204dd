//! The key service, which holds the root keys and wraps branch keys under them.

#[cfg(feature = "aws-kms")]
mod aws;
mod development;

#[cfg(feature = "aws-kms")]
pub use aws::AwsKms;
#[cfg(feature = "aws-kms")]
pub use aws::AwsKmsError;
#[cfg(feature = "aws-kms")]
pub use aws::AwsKmsSettings;
pub use development::DevelopmentKeyring;
pub use development::KeyringFileError;

use crate::secret::SecretKey;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::Purpose;

/// A provider of root keys.
#[derive(Debug)]
pub enum KeyService {
    /// A file on this machine, for development: a reader of the file and the database can open everything.
    Development(DevelopmentKeyring),
    /// AWS KMS.
    #[cfg(feature = "aws-kms")]
    Aws(AwsKms),
    /// A service whose failures a test controls.
    #[cfg(test)]
    Scripted(scripted::Scripted),
}

/// The encryption context of a branch key: opaque ids, since the key service logs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BranchContext {
    pub(crate) organization: OrganizationId,
    pub(crate) branch: KeyId,
    pub(crate) version: u32,
}

impl BranchContext {
    /// The purpose of every key that the service wraps.
    pub(crate) const PURPOSE: Purpose = Purpose::Branch;
}

/// A branch key, wrapped by the service.
#[derive(Debug)]
pub(crate) struct RootWrapped {
    /// The root key, by the service's name for it.
    pub(crate) root: String,
    /// The service's permanent tag.
    pub(crate) provider: u8,
    /// The wrapped key.
    pub(crate) bytes: Vec<u8>,
}

/// A call of the key service failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    not(any(feature = "aws-kms", test)),
    expect(
        dead_code,
        reason = "only a remote key service is unavailable or refuses"
    )
)]
pub(crate) enum ServiceError {
    /// The service cannot be reached or is overloaded.
    #[error("the key service is not available")]
    Unavailable,
    /// The service refuses: its key is disabled or deleted, or this process may not use it.
    #[error("the key service refuses")]
    Denied,
    /// The service cannot unwrap the bytes.
    #[error("the key service cannot open the wrapped key")]
    Corrupt,
}

// The SDK's futures take tens of kilobytes. They are boxed, since otherwise every future that may load a key would be as
// large.
impl KeyService {
    /// Wraps a branch key under the current root key.
    pub(crate) async fn wrap(
        &self,
        context: &BranchContext,
        key: &SecretKey,
    ) -> Result<RootWrapped, ServiceError> {
        match self {
            Self::Development(keyring) => keyring.wrap(context, key),
            #[cfg(feature = "aws-kms")]
            Self::Aws(kms) => Box::pin(kms.wrap(context, key)).await,
            #[cfg(test)]
            Self::Scripted(service) => service.call()?.wrap(context, key),
        }
    }

    /// Unwraps a branch key.
    pub(crate) async fn unwrap(
        &self,
        wrapped: &RootWrapped,
        context: &BranchContext,
    ) -> Result<SecretKey, ServiceError> {
        match self {
            Self::Development(keyring) => keyring.unwrap(wrapped, context),
            #[cfg(feature = "aws-kms")]
            Self::Aws(kms) => Box::pin(kms.unwrap(wrapped, context)).await,
            #[cfg(test)]
            Self::Scripted(service) => service.call()?.unwrap(wrapped, context),
        }
    }

    /// HMAC-SHA256 under a key that never leaves the service.
    pub(crate) async fn mac(&self, message: &[u8]) -> Result<[u8; 32], ServiceError> {
        match self {
            Self::Development(keyring) => Ok(keyring.mac(message)),
            #[cfg(feature = "aws-kms")]
            Self::Aws(kms) => Box::pin(kms.mac(message)).await,
            #[cfg(test)]
            Self::Scripted(service) => Ok(service.call()?.mac(message)),
        }
    }
}

#[cfg(test)]
pub(crate) mod scripted;
