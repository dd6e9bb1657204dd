//! Key wrapping under a branch or root key, and the commitment and MAC against which an opened key is checked.

use subtle::ConstantTimeEq;

use crate::seal::AeadError;
use crate::seal::Suite;
use crate::secret::SecretKey;
use phi_types::KeyId;
use phi_types::RowMac;
use phi_types::WrappedKey;
use phi_types::authenticated_bytes;

/// The suite of every wrap: suite 2, because several instances wrap under one key and nothing counts the messages.
const SUITE: Suite = Suite::Xaes;

/// Wraps `key`: `nonce[24] | ciphertext[32] | tag[16]`.
pub(crate) fn wrap(
    wrapping: &SecretKey,
    context: &[u8],
    key: &SecretKey,
) -> Result<Vec<u8>, AeadError> {
    let mut wrapped = Vec::new();
    let write = |out: &mut Vec<u8>| out.extend_from_slice(key.expose());
    SUITE.seal_into(&subkey(wrapping), context, 32, &mut wrapped, write)?;
    Ok(wrapped)
}

/// Unwraps what [`wrap`] made under the same key and context.
pub(crate) fn unwrap(
    wrapping: &SecretKey,
    context: &[u8],
    wrapped: &[u8],
) -> Result<SecretKey, AeadError> {
    let key = SUITE.open(&subkey(wrapping), context, wrapped)?;
    SecretKey::from_slice(&key).ok_or(AeadError)
}

fn subkey(wrapping: &SecretKey) -> SecretKey {
    wrapping.derive(&[b"phi-wrap/1", &[SUITE.code()]])
}

/// The additional data of a wrap under a branch key: `"phi-wrap-aad/1" | organization[16] | owner kind |
/// owner id[16] | purpose | key id[16] | version[4] | branch id[16] | branch version[4]`.
pub(crate) fn context(row: &WrappedKey, branch: KeyId, branch_version: u32) -> Vec<u8> {
    [
        &b"phi-wrap-aad/1"[..],
        row.organization.as_bytes(),
        &[row.owner_kind.code()],
        &row.owner,
        &[row.purpose.code()],
        row.id.as_bytes(),
        &row.version.to_be_bytes(),
        branch.as_bytes(),
        &branch_version.to_be_bytes(),
    ]
    .concat()
}

/// The commitment to a key, stored beside its wrap, because AES-GCM does not commit to its key.
pub(crate) fn commitment(key: &SecretKey, id: KeyId) -> [u8; 32] {
    *key.derive(&[b"phi-commit/1", id.as_bytes()]).expose()
}

/// The MAC of a row of the `keys` table, under a subkey of the key that the row wraps.
pub(crate) fn row_mac(key: &SecretKey, row: &WrappedKey) -> RowMac {
    let subkey = key.derive(&[b"phi-key-row/2", row.id.as_bytes()]);
    RowMac::new(row.id, subkey.hmac(&[&authenticated_bytes(row, row.id)]))
}

/// Whether `row` is unaltered and was written for `key`.
pub(crate) fn matches_row(key: &SecretKey, row: &WrappedKey) -> bool {
    let committed: bool = commitment(key, row.id).ct_eq(&row.commitment).into();
    committed && row_mac(key, row) == row.mac
}
