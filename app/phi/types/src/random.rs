//! The operating system's random number generator.

/// Fills `bytes` with random bytes.
///
/// # Panics
///
/// If the operating system has no randomness: continuing would mean predictable keys and nonces.
pub fn fill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the system has no randomness: {error}");
    }
}

/// `N` random bytes that are no secret: a nonce, an id, a salt.
///
/// # Panics
///
/// If the operating system has no randomness.
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
