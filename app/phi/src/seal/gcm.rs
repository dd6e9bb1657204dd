//! AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag: the core of both suites.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::KeyInit;

use super::AeadError;
use super::TAG;

/// Encrypts `text` in place and returns the tag. It fails only beyond GCM's own 64 GiB.
pub(super) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    text: &mut [u8],
) -> Result<[u8; TAG], AeadError> {
    let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(nonce.into(), aad, text.into());
    tag.map(Into::into).ok().ok_or(AeadError)
}

/// Checks the tag in constant time, then decrypts `text` in place. A wrong tag leaves it as it was.
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
