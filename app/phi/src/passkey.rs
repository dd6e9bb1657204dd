//! Passkeys: public key credentials with which people sign in (Web Authentication Level 3, W3C; the numbers of sections are its).
//!
//! User verification is required, so that a passkey is two factors: the device, and what unlocks it. No attestation is requested
//! and none is judged: a person may use any authenticator.

mod authenticator_data;
mod client_data;
mod options;
mod public_key;
mod responses;

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use authenticator_data::AuthenticatorData;
use authenticator_data::BACKUP_ELIGIBLE;
use client_data::Ceremony;
use client_data::ClientData;
use public_key::PublicKey;

pub use options::CeremonyOptions;
pub use options::CreationOptions;
pub use options::RequestOptions;
pub use options::UserEntity;
pub use responses::AssertionResponse;
pub use responses::RegistrationResponse;

/// The version of [`Passkey::to_bytes`].
const FORMAT: u8 = 1;
/// Maximum length of a credential id, in bytes (§5.8.3).
const MAX_ID_BYTES: usize = 1023;

/// The first check that a response does not pass, for the log: people see one text for all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasskeyError {
    /// JSON, CBOR or authenticator data is malformed.
    #[error("the response is malformed")]
    Malformed,
    /// The client data is of the other ceremony.
    #[error("the response is of another ceremony")]
    Ceremony,
    /// The client data has another challenge, or one that is not accepted any more.
    #[error("the challenge of the response is not accepted")]
    Challenge,
    /// The client data is of a page of another origin, or of one in a frame of another origin.
    #[error("the response was made for another origin")]
    Origin,
    /// The authenticator signed for another relying party.
    #[error("the response is for another relying party")]
    RelyingParty,
    /// The authenticator has not verified the person.
    #[error("the authenticator has not verified the person")]
    UserVerification,
    /// The key is of an algorithm that was not offered, or is not a valid one.
    #[error("the public key is not one of a supported algorithm")]
    PublicKey,
    /// Another credential id, or another backup eligibility than at registration.
    #[error("the response is of another passkey")]
    Credential,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// The authenticator has counted fewer signatures than before: there may be a copy of it.
    #[error("the counter of the authenticator has not increased")]
    Counter,
}

/// The server as authenticators know it (§4): passkeys are bound to its host, and answers to its origin.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    id: String,
    origin: String,
    name: &'static str,
}

/// A passkey on record (§4, "credential record"), without what changes with each use.
#[derive(Clone)]
pub struct Passkey {
    credential_id: Vec<u8>,
    public_key: PublicKey,
    is_backup_eligible: bool,
}

/// A new passkey.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The passkey.
    pub passkey: Passkey,
    /// The signature counter of its authenticator.
    pub sign_count: u32,
}

impl RelyingParty {
    /// The server whose pages browsers see under an origin, such as `https://clinic.example:8443`, with the name that
    /// authenticators show.
    #[must_use]
    pub fn new(origin: &str, name: &'static str) -> Self {
        let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        Self {
            id: host.to_owned(),
            origin: origin.to_owned(),
            name,
        }
    }

    /// The new passkey of a response to a challenge.
    ///
    /// # Errors
    ///
    /// The first check of §7.1 that fails.
    pub fn register(
        &self,
        challenge: &str,
        response: &RegistrationResponse,
    ) -> Result<Registration, PasskeyError> {
        self.check_client_data(Ceremony::Create, challenge, &response.client_data)?;
        let data = responses::authenticator_data(&response.attestation_object)?;
        let data = AuthenticatorData::parse(data)?;
        self.check_authenticator_data(&data)?;
        let credential = data.credential.ok_or(PasskeyError::Malformed)?;
        if credential.id != response.credential_id.as_slice() {
            return Err(PasskeyError::Credential);
        }
        let passkey = Passkey {
            credential_id: credential.id.to_vec(),
            public_key: PublicKey::parse(credential.public_key)?,
            is_backup_eligible: data.is_backup_eligible,
        };
        Ok(Registration {
            passkey,
            sign_count: data.sign_count,
        })
    }

    /// Verifies a response to a challenge. `last_sign_count` is the signature counter of the latest response before; returns that of
    /// this one.
    ///
    /// # Errors
    ///
    /// The first check of §7.2 that fails.
    pub fn verify(
        &self,
        challenge: &str,
        passkey: &Passkey,
        last_sign_count: u32,
        response: &AssertionResponse,
    ) -> Result<u32, PasskeyError> {
        if response.credential_id != passkey.credential_id {
            return Err(PasskeyError::Credential);
        }
        self.check_client_data(Ceremony::Get, challenge, &response.client_data)?;
        let data = AuthenticatorData::parse(&response.authenticator_data)?;
        self.check_authenticator_data(&data)?;
        if data.is_backup_eligible != passkey.is_backup_eligible {
            return Err(PasskeyError::Credential);
        }
        let mut signed = response.authenticator_data.clone();
        signed.extend_from_slice(&Sha256::digest(&response.client_data));
        if !passkey.public_key.verifies(&signed, &response.signature) {
            return Err(PasskeyError::Signature);
        }
        // An authenticator that does not count sends zero (§6.1.1).
        let counts = data.sign_count != 0 || last_sign_count != 0;
        if counts && data.sign_count <= last_sign_count {
            return Err(PasskeyError::Counter);
        }
        Ok(data.sign_count)
    }

    fn check_client_data(
        &self,
        ceremony: Ceremony,
        challenge: &str,
        json: &[u8],
    ) -> Result<(), PasskeyError> {
        let client_data = ClientData::parse(json)?;
        if client_data.ceremony != ceremony {
            return Err(PasskeyError::Ceremony);
        }
        let sent = client_data.challenge.as_bytes();
        if !bool::from(sent.ct_eq(challenge.as_bytes())) {
            return Err(PasskeyError::Challenge);
        }
        if client_data.origin != self.origin || client_data.is_cross_origin {
            return Err(PasskeyError::Origin);
        }
        Ok(())
    }

    fn check_authenticator_data(&self, data: &AuthenticatorData<'_>) -> Result<(), PasskeyError> {
        if data.rp_id_hash[..] != Sha256::digest(&self.id)[..] {
            return Err(PasskeyError::RelyingParty);
        }
        if !(data.is_user_present && data.is_user_verified) {
            return Err(PasskeyError::UserVerification);
        }
        Ok(())
    }
}

impl Passkey {
    /// The credential id, by which authenticators find the key.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    /// `1 | flags[1] | length[2] | credential id | public key in COSE (RFC 9052)`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let flags = if self.is_backup_eligible {
            BACKUP_ELIGIBLE
        } else {
            0
        };
        let length = u16::try_from(self.credential_id.len()).unwrap_or(u16::MAX);
        let mut bytes = vec![FORMAT, flags];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.credential_id);
        bytes.extend_from_slice(self.public_key.as_cose());
        bytes
    }

    /// The passkey that these bytes are of; none for other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[FORMAT, flags], rest) = bytes.split_first_chunk::<2>()? else {
            return None;
        };
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (credential_id, public_key) = rest.split_at_checked(length)?;
        Some(Self {
            credential_id: credential_id.to_vec(),
            public_key: PublicKey::parse(public_key).ok()?,
            is_backup_eligible: flags & BACKUP_ELIGIBLE != 0,
        })
    }
}

impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
