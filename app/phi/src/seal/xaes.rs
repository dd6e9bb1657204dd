//! XAES-256-GCM (C2SP): AES-256-GCM under a key derived from the first half of a 192-bit nonce. Random nonces are safe
//! for 2⁸⁰ messages (with a collision risk of 2⁻³²).

use aes::Aes256;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::KeyInit;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// The AES-256-GCM key and nonce for a message: NIST SP 800-108r1 with CMAC, counter mode.
pub(super) fn derive(key: &[u8; 32], nonce: &[u8; 24]) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
    let (context, rest) = nonce.split_at(12);
    let cipher = Aes256::new(key.into());

    let mut mask = [0; 16];
    encrypt(&cipher, &mut mask);
    double(&mut mask);

    let mut derived = Zeroizing::new([0; 32]);
    for (half, counter) in derived.chunks_exact_mut(16).zip([1, 2]) {
        let (prefix, tail) = half.split_at_mut(4);
        prefix.copy_from_slice(&[0, counter, b'X', 0]);
        tail.copy_from_slice(context);
        half.iter_mut()
            .zip(mask)
            .for_each(|(byte, mask)| *byte ^= mask);
        if let Ok(block) = half.try_into() {
            encrypt(&cipher, block);
        }
    }
    mask.zeroize();

    let mut short = [0; 12];
    short.copy_from_slice(rest);
    (derived, short)
}

fn encrypt(cipher: &Aes256, block: &mut [u8; 16]) {
    cipher.encrypt_block(block.into());
}

/// CMAC's subkey `K1`: the block shifted by one bit, xored with `0x87` if a bit was shifted out. Without a branch on
/// secret bits.
fn double(block: &mut [u8; 16]) {
    let value = Zeroizing::new(u128::from_be_bytes(*block));
    *block = ((*value << 1) ^ (0x87 * (*value >> 127))).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The intermediate values of the specification's two vectors.
    #[test]
    fn keys_are_derived_as_c2sp_shows() {
        let expected = [
            (
                1,
                "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b",
            ),
            (
                3,
                "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8",
            ),
        ];
        for (key, derived) in expected {
            let (key, nonce) = derive(&[key; 32], b"ABCDEFGHIJKLMNOPQRSTUVWX");
            assert_eq!(hex::encode(*key), derived);
            assert_eq!(&nonce, b"MNOPQRSTUVWX");
        }
    }
}
