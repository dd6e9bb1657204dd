//! A sealed value: the only form in which PHI is stored.

use std::fmt;
use std::marker::PhantomData;

use uuid::Uuid;

use crate::ids::KeyId;

/// The first byte of every sealed value.
pub const FORMAT: u8 = 0xE1;

/// The length of the header `format | suite | key id`, in bytes.
pub const HEADER_LENGTH: usize = 18;

/// A sealed value of column `C`. The column is part of the type, so that a value of one column cannot be
/// stored in another by mistake. A value that is moved on purpose does not open there.
///
/// Limit: the type does not prove that the bytes are ciphertext, since [`Sealed::from_bytes`] takes any bytes. Writers
/// obtain values from `ScopeKey::seal` of the crate `phi`.
///
/// ```
/// # use phi_types::{Sealed, columns::{Family, Given}};
/// fn store(family: Sealed<Family>) {}
/// # let sealed: Sealed<Family> = Sealed::from_bytes(Vec::new());
/// store(sealed);
/// ```
///
/// A value of another column is refused:
///
/// ```compile_fail,E0308
/// # use phi_types::{Sealed, columns::{Family, Given}};
/// fn store(family: Sealed<Family>) {}
/// # let sealed: Sealed<Given> = Sealed::from_bytes(Vec::new());
/// store(sealed);
/// ```
///
/// So is one in the clear:
///
/// ```compile_fail,E0308
/// # use phi_types::{Sealed, columns::{Family, Given}};
/// fn store(family: Sealed<Family>) {}
/// # let sealed: Option<String> = Some("Miller".to_owned());
/// store(sealed);
/// ```
pub struct Sealed<C> {
    bytes: Vec<u8>,
    column: PhantomData<fn() -> C>,
}

impl<C> Sealed<C> {
    /// Stored bytes, unchecked: opening them checks them.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            column: PhantomData,
        }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes to store, by value.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The key id in the header, if there is a header. It is not authenticated before the value is opened.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        let [FORMAT, _suite, id @ ..] = self.bytes.first_chunk::<HEADER_LENGTH>()? else {
            return None;
        };
        Some(KeyId::from_uuid(Uuid::from_bytes(*id)))
    }
}

impl<C> Clone for Sealed<C> {
    fn clone(&self) -> Self {
        Self::from_bytes(self.bytes.clone())
    }
}

impl<C> PartialEq for Sealed<C> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<C> Eq for Sealed<C> {}

impl<C> fmt::Debug for Sealed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}
