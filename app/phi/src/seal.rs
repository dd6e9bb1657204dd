//! The two AEAD suites, and the header of a sealed value.

mod gcm;
mod xaes;

use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::secret::SecretKey;
use phi_types::FORMAT;
use phi_types::HEADER_LENGTH;
use phi_types::KeyId;
use phi_types::fill_random;

/// Length of the authentication tag, in bytes.
const TAG: usize = 16;

/// An AEAD suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Suite 1: AES-256-GCM with a random 96-bit nonce, where the number of messages is bounded.
    Gcm,
    /// Suite 2: XAES-256-GCM with a random 192-bit nonce, where messages cannot be counted.
    Xaes,
}

/// An AEAD operation failed. Causes are not distinguished: the distinction would help only an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AeadError;

impl Suite {
    /// The permanent number of the suite.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Gcm => 1,
            Self::Xaes => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Gcm),
            2 => Some(Self::Xaes),
            _ => None,
        }
    }

    const fn nonce_length(self) -> usize {
        match self {
            Self::Gcm => 12,
            Self::Xaes => 24,
        }
    }

    /// The bytes that sealing adds to a plaintext, without a header.
    pub(crate) const fn overhead(self) -> usize {
        self.nonce_length() + TAG
    }

    /// Appends `nonce | ciphertext | tag` to `out`. `write` appends the plaintext, of exactly
    /// `length` bytes, which is then encrypted in place.
    pub(crate) fn seal_into(
        self,
        key: &SecretKey,
        aad: &[u8],
        length: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), AeadError> {
        // Reserved at once, since a growing buffer leaves copies of the plaintext.
        out.reserve_exact(self.overhead() + length);
        let start = out.len();
        out.resize(start + self.nonce_length(), 0);
        fill_random(out.split_at_mut(start).1);
        write(out);
        let (nonce, text) = out.split_at_mut(start).1.split_at_mut(self.nonce_length());
        let Ok(tag) = self.encrypt(key, nonce, aad, text) else {
            out.zeroize();
            return Err(AeadError);
        };
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens `nonce | ciphertext | tag`.
    pub(crate) fn open(
        self,
        key: &SecretKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AeadError> {
        let (nonce, rest) = sealed
            .split_at_checked(self.nonce_length())
            .ok_or(AeadError)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(AeadError)?;
        let mut text = Zeroizing::new(text.to_vec());
        self.decrypt(key, nonce, aad, &mut text, tag)?;
        Ok(text)
    }

    /// Encrypts `text` in place. The nonce is a parameter for the known-answer tests; [`Self::seal_into`] generates it.
    fn encrypt(
        self,
        key: &SecretKey,
        nonce: &[u8],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG], AeadError> {
        match self {
            Self::Gcm => gcm::encrypt(key.expose(), sized(nonce)?, aad, text),
            Self::Xaes => {
                let (key, nonce) = xaes::derive(key.expose(), sized(nonce)?);
                gcm::encrypt(&key, &nonce, aad, text)
            }
        }
    }

    fn decrypt(
        self,
        key: &SecretKey,
        nonce: &[u8],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), AeadError> {
        match self {
            Self::Gcm => gcm::decrypt(key.expose(), sized(nonce)?, aad, text, tag),
            Self::Xaes => {
                let (key, nonce) = xaes::derive(key.expose(), sized(nonce)?);
                gcm::decrypt(&key, &nonce, aad, text, tag)
            }
        }
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], AeadError> {
    bytes.try_into().ok().ok_or(AeadError)
}

/// The header of a sealed value: `format | suite | key id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
}

impl Header {
    /// The header's length, in bytes.
    pub(crate) const LENGTH: usize = HEADER_LENGTH;

    /// The header's bytes.
    pub(crate) fn bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (start, key) = bytes.split_at_mut(2);
        start.copy_from_slice(&[FORMAT, self.suite.code()]);
        key.copy_from_slice(self.key.as_bytes());
        bytes
    }

    /// The header of a sealed value; `None` if the bytes do not begin with one.
    pub(crate) fn read(sealed: &[u8]) -> Option<Self> {
        let [FORMAT, suite, key @ ..] = sealed.first_chunk::<{ Self::LENGTH }>()? else {
            return None;
        };
        let key = KeyId::from_uuid(uuid::Uuid::from_bytes(*key));
        Some(Self {
            suite: Suite::from_code(*suite)?,
            key,
        })
    }
}

#[cfg(test)]
mod vectors;
