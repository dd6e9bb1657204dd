//! The types of values that can be sealed, and their encoding.

use zeroize::Zeroize;
use zeroize::Zeroizing;

/// A type whose values can be sealed, as a type byte and bytes.
///
/// Type bytes are permanent: `0` absent, `1` UTF-8 text, `2` bytes.
pub trait Plaintext: Zeroize + Sized {
    /// The type byte and the value's bytes.
    fn encoded(&self) -> (u8, &[u8]);

    /// The value with this type byte and these bytes; `None` if they are not a value of this type. Takes ownership of
    /// the bytes, so that opening makes no second copy that would have to be zeroized.
    fn decode(kind: u8, value: Zeroizing<Vec<u8>>) -> Option<Self>;
}

/// A [`Plaintext`] that is never absent, so that an `Option` of it has one encoding for `None`.
pub trait Present: Plaintext {}

const ABSENT: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;

impl Plaintext for String {
    fn encoded(&self) -> (u8, &[u8]) {
        (TEXT, self.as_bytes())
    }

    fn decode(kind: u8, mut value: Zeroizing<Vec<u8>>) -> Option<Self> {
        let is_text = kind == TEXT && std::str::from_utf8(&value).is_ok();
        is_text.then(|| Self::from_utf8(std::mem::take(&mut *value)).ok())?
    }
}

impl Present for String {}

impl Plaintext for Vec<u8> {
    fn encoded(&self) -> (u8, &[u8]) {
        (BYTES, self)
    }

    fn decode(kind: u8, mut value: Zeroizing<Vec<u8>>) -> Option<Self> {
        (kind == BYTES).then(|| std::mem::take(&mut *value))
    }
}

impl Present for Vec<u8> {}

/// In an optional column, absence is sealed like a value, because it would reveal something.
impl<T: Present> Plaintext for Option<T> {
    fn encoded(&self) -> (u8, &[u8]) {
        self.as_ref().map_or((ABSENT, &[]), Plaintext::encoded)
    }

    fn decode(kind: u8, value: Zeroizing<Vec<u8>>) -> Option<Self> {
        match kind {
            ABSENT => value.is_empty().then_some(None),
            _ => T::decode(kind, value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_not_the_empty_text() {
        let (absent, _) = None::<String>.encoded();
        let (empty, _) = Some(String::new()).encoded();
        assert_ne!(absent, empty);
    }

    fn decode<T: Plaintext>(kind: u8, value: &[u8]) -> Option<T> {
        T::decode(kind, Zeroizing::new(value.to_vec()))
    }

    #[test]
    fn a_column_that_becomes_optional_still_opens_what_it_held() {
        let ada = "Ada".to_owned();
        let (kind, value) = ada.encoded();
        assert_eq!(decode(kind, value), Some(Some(ada.clone())));
    }

    #[test]
    fn bytes_are_not_read_as_text() {
        assert_eq!(decode::<String>(BYTES, b"Ada"), None);
        assert_eq!(decode::<String>(TEXT, &[0xff]), None);
        assert_eq!(decode::<Option<Vec<u8>>>(ABSENT, b"Ada"), None);
    }
}
