//! The system's randomness.

/// Fills `bytes` from the operating system.
///
/// # Panics
///
/// When the system has no randomness: to go on would mean predictable keys and nonces, and there is
/// nothing a caller could do instead.
pub(crate) fn fill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the system has no randomness: {error}");
    }
}

/// `N` random bytes that are no secret: a nonce, an id, a salt.
///
/// # Panics
///
/// When the system has no randomness.
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
