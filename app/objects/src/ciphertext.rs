//! The only bytes that a store accepts.

use std::fmt;

use bytes::Bytes;
use phi_types::Column;
use phi_types::Sealed;

/// The length of a frame's length, in bytes.
pub(crate) const FRAME_HEADER_BYTES: usize = 4;

/// Bytes of an object: ciphertext, made of sealed values and of nothing else, so that no text in the clear is stored by
/// mistake.
///
/// Limit: a [`Sealed`] does not prove that its bytes are ciphertext; the crate `phi` makes those that are.
///
/// ```compile_fail,E0308
/// # use objects::Ciphertext;
/// let stored: Ciphertext = Ciphertext::sealed(String::from("in the clear"));
/// ```
#[derive(Clone)]
pub struct Ciphertext(Bytes);

/// A sealed value is too long for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value of {0} bytes does not fit into a frame")]
pub struct FrameTooLong(usize);

impl Ciphertext {
    /// A sealed value that is the whole object, or whose boundaries the reader knows.
    #[must_use]
    pub fn sealed<C: Column>(value: Sealed<C>) -> Self {
        Self(value.into_bytes().into())
    }

    /// A sealed value with its length before it (4 bytes, big-endian), as [`Frames`](crate::Frames) read it.
    ///
    /// # Errors
    ///
    /// The value is longer than 4 GiB.
    pub fn framed<C: Column>(value: &Sealed<C>) -> Result<Self, FrameTooLong> {
        let sealed = value.as_bytes();
        let Ok(length) = u32::try_from(sealed.len()) else {
            return Err(FrameTooLong(sealed.len()));
        };
        let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES.saturating_add(sealed.len()));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(sealed);
        Ok(Self(bytes.into()))
    }

    /// The bytes to store.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ciphertext({} bytes)", self.0.len())
    }
}
