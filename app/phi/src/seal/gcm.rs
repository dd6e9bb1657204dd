//! AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag, which both suites use.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::KeyInit;

use super::AeadError;
use super::TAG;

/// Encrypts `text` in place and returns the tag. Fails only beyond GCM's maximum of 64 GiB.
pub(super) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    text: &mut [u8],
) -> Result<[u8; TAG], AeadError> {
    let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(nonce.into(), aad, text.into());
    tag.map(Into::into).ok().ok_or(AeadError)
}

/// Verifies the tag in constant time, then decrypts `text` in place. With a wrong tag, `text` is unchanged.
pub(super) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG],
) -> Result<(), AeadError> {
    let cipher = Aes256Gcm::new(key.into());
    cipher
        .decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into())
        .ok()
        .ok_or(AeadError)
}
