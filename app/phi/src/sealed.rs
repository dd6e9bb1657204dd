//! PHI as it is stored.

use std::fmt;
use std::marker::PhantomData;

use crate::ids::KeyId;
use crate::seal::Header;

/// A sealed value of type `T`: the only form in which PHI is stored.
///
/// It is bytes and nothing else: which column, row and owner it was sealed for is known to those who
/// open it, and they must know it right.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Takes stored bytes as they are; whether they open shows when they are opened.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            value: PhantomData,
        }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes to store, taken out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The key that the header names, if there is a header. Nothing vouches for it before the value
    /// is opened.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        Header::read(&self.bytes).map(|header| header.key)
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::from_bytes(self.bytes.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}
