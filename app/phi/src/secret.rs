//! 256-bit keys, and the two functions everything is derived with: HMAC-SHA256 and HKDF-Expand.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use zeroize::Zeroizing;

use phi_types::fill_random;

/// A 256-bit key: on the heap, so that moving it leaves no copy behind, and zeroized on drop.
pub(crate) struct SecretKey(SecretBox<[u8; 32]>);

impl SecretKey {
    /// A new key of the system's randomness.
    pub(crate) fn random() -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
            fill_random(bytes);
        }))
    }

    /// The key whose bytes these are.
    pub(crate) fn from_array(bytes: &[u8; 32]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            key.copy_from_slice(bytes);
        }))
    }

    /// The key whose bytes these are, if there are 32 of them.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; 32]>::try_from(bytes).ok().map(Self::from_array)
    }

    /// The key's bytes.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// A subkey: `HKDF-Expand(key, info, 32)` with SHA-256 (RFC 5869 §2.3), where `info` is the
    /// concatenation of `parts`.
    ///
    /// Extraction is left out as RFC 5869 §3.3 allows, every key here being uniformly random. For 32
    /// bytes the expansion is one block, `HMAC(key, info | 0x01)`.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Self {
        let mut mac = keyed(self.expose());
        for part in parts {
            mac.update(part);
        }
        mac.update(&[1]);
        let block = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Self::from_array(&block)
    }

    /// `HMAC-SHA256(key, message)`, where the message is the concatenation of `parts`.
    pub(crate) fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = keyed(self.expose());
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Clone for SecretKey {
    fn clone(&self) -> Self {
        Self::from_array(self.expose())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// HMAC under a 32-byte key. HMAC fills a key up with zeros to its block, so filling it here is the
/// same, and cannot fail.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    let (start, _) = block.split_at_mut(32);
    start.copy_from_slice(key);
    Hmac::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use hkdf::Hkdf;
    use proptest::prelude::*;

    use super::*;

    /// RFC 5869, test case 1: its 42 bytes of output begin with the block made here.
    #[test]
    fn deriving_agrees_with_rfc_5869() {
        let prk = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
        let okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf";
        let key = SecretKey::from_slice(&hex::decode(prk).unwrap()).unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        assert_eq!(hex::encode(key.derive(&[&info]).expose()), okm);
    }

    proptest! {
        #[test]
        fn deriving_agrees_with_the_hkdf_crate(key: [u8; 32], info: Vec<u8>) {
            let mut expected = [0; 32];
            Hkdf::<Sha256>::from_prk(&key).unwrap().expand(&info, &mut expected).unwrap();
            let (a, b) = info.split_at(info.len() / 2);
            let derived = SecretKey::from_array(&key).derive(&[a, b]);
            prop_assert_eq!(derived.expose(), &expected);
        }

        #[test]
        fn a_filled_up_key_is_the_same_key(key: [u8; 32], message: Vec<u8>) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(&message);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            prop_assert_eq!(SecretKey::from_array(&key).hmac(&[&message]), expected);
        }
    }
}
