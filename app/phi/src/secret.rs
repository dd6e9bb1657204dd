//! 256-bit keys, with HMAC-SHA256 and HKDF-Expand.

use std::fmt;

use hkdf::Hkdf;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use secrecy::ExposeSecret;
use secrecy::SecretBox;
use sha2::Sha256;

use phi_types::fill_random;

/// A 256-bit key: on the heap, so that moving it leaves no copy behind, and zeroized on drop.
pub(crate) struct SecretKey(SecretBox<[u8; 32]>);

impl SecretKey {
    /// A new key from the operating system's generator.
    pub(crate) fn random() -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
            fill_random(bytes);
        }))
    }

    /// The key with these bytes.
    pub(crate) fn from_array(bytes: &[u8; 32]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            key.copy_from_slice(bytes);
        }))
    }

    /// The key with these bytes, if there are 32 of them.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; 32]>::try_from(bytes).ok().map(Self::from_array)
    }

    /// The key's bytes.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// A subkey: `HKDF-Expand(key, info, 32)` with SHA-256 (RFC 5869 §2.3), where `info` is the
    /// concatenation of `parts`. Extraction is left out as RFC 5869 §3.3 allows: every key here is uniformly
    /// random.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Self {
        Self(SecretBox::init_with_mut(|subkey: &mut [u8; 32]| {
            let expanded = Hkdf::<Sha256>::from_prk(self.expose())
                .is_ok_and(|hkdf| hkdf.expand_multi_info(parts, subkey).is_ok());
            // HKDF fails for a key below 32 bytes or an output over 255 blocks; the types exclude both.
            assert!(
                expanded,
                "HKDF-Expand derives 32 bytes from a key of 32 bytes"
            );
        }))
    }

    /// `HMAC-SHA256(key, message)`, where the message is the concatenation of `parts`.
    pub(crate) fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac_under(self.expose());
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

fn hmac_under(key: &[u8; 32]) -> Hmac<Sha256> {
    let Ok(mac) = Hmac::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac
}

#[cfg(test)]
mod tests {
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
        fn how_the_info_is_split_into_parts_does_not_matter(key: [u8; 32], info: Vec<u8>) {
            let key = SecretKey::from_array(&key);
            let (a, b) = info.split_at(info.len() / 2);
            let (whole, parts) = (key.derive(&[&info]), key.derive(&[a, b]));
            prop_assert_eq!(whole.expose(), parts.expose());
        }

        /// RFC 5869 §2.3: one block of output is `HMAC(key, info | 0x01)`.
        #[test]
        fn deriving_agrees_with_hmac(key: [u8; 32], info: Vec<u8>) {
            let key = SecretKey::from_array(&key);
            prop_assert_eq!(*key.derive(&[&info]).expose(), key.hmac(&[&info, &[1]]));
        }
    }

    /// RFC 4231, test case 1. Its key of 20 bytes is padded with zeros, as HMAC does.
    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        let mac = SecretKey::from_array(&key).hmac(&[b"Hi ", b"There"]);
        assert_eq!(hex::encode(mac), expected);
    }
}
