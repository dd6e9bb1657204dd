#![doc = include_str!("../README.md")]

mod authorization;
mod client_assertion;
mod heads;
mod index;
mod key_service;
mod keyring;
#[cfg(test)]
mod known_answers;
mod memory;
mod normalize;
mod padding;
pub mod passkey;
pub mod password;
mod plaintext;
mod recovery_code;
mod scope;
mod seal;
mod secret;
mod token;
pub mod totp;
mod value;
mod wrap;

pub use authorization::AuthorizationKey;
pub use authorization::Verified;
pub use client_assertion::AssertionError;
pub use client_assertion::ClientAssertion;
pub use client_assertion::JwkSet;
pub use client_assertion::JwkSetError;
pub use client_assertion::SignatureAlgorithm;
pub use client_assertion::VerifiedAssertion;
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
pub use recovery_code::RecoveryCode;
pub use scope::ScopeKey;
pub use scope::SealError;
pub use token::SecretToken;
pub use totp::TotpKey;
pub use value::Phi;
