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

pub use authorization::{AuthorizationKey, Verified};
pub use heads::{Head, HeadSet};
pub use index::{IndexKey, IndexValue};
#[cfg(feature = "aws-kms")]
pub use key_service::{AwsKms, AwsKmsError, AwsKmsSettings};
pub use key_service::{DevelopmentKeyring, KeyService, KeyringFileError};
pub use keyring::{
    KeyError, Keyring, KeyringSettings, NewOrganization, NewScope, OpenError, Requested, Tampering,
};
pub use memory::MemoryKeys;
pub use normalize::Normalizer;
pub use phi_types::*;
pub use plaintext::{Plaintext, Present};
pub use scope::{ScopeKey, SealError};
pub use token::SecretToken;
pub use value::Phi;
