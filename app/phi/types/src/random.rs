//! The operating system's random number generator.

/// Fills `bytes` with random bytes.
///
/// # Panics
///
/// If the operating system's generator fails: continuing would mean predictable keys and nonces.
pub fn fill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the operating system's random number generator failed: {error}");
    }
}

/// `N` random bytes for values that are not secret: a nonce, an id, a salt.
///
/// # Panics
///
/// If the operating system's generator fails.
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
