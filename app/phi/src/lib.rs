#![doc = include_str!("../README.md")]

mod authorization;
mod heads;
mod index;
mod key_service;
mod keyring;
#[cfg(test)]
mod known_answers;
mod memory;
mod normalize;
mod padding;
pub mod password;
mod plaintext;
mod scope;
mod seal;
mod secret;
mod token;
mod value;
mod wrap;

pub use authorization::AuthorizationKey;
pub use authorization::Verified;
pub use heads::Head;
pub use heads::HeadSet;
pub use index::IndexKey;
pub use index::IndexValue;
#[cfg(feature = "aws-kms")]
pub use key_service::AwsKms;
#[cfg(feature = "aws-kms")]
pub use key_service::AwsKmsError;
#[cfg(feature = "aws-kms")]
pub use key_service::AwsKmsSettings;
pub use key_service::DevelopmentKeyring;
pub use key_service::KeyService;
pub use key_service::KeyringFileError;
pub use keyring::KeyError;
pub use keyring::Keyring;
pub use keyring::KeyringSettings;
pub use keyring::NewOrganization;
pub use keyring::NewScope;
pub use keyring::OpenError;
pub use keyring::Requested;
pub use keyring::Tampering;
pub use memory::MemoryKeys;
pub use normalize::Normalizer;
pub use phi_types::*;
pub use plaintext::Plaintext;
pub use plaintext::Present;
pub use scope::ScopeKey;
pub use scope::SealError;
pub use token::SecretToken;
pub use value::Phi;
