//! What can be sealed, and as which bytes.

use zeroize::Zeroize;

/// A type that can be sealed: a type byte and a value.
///
/// Type bytes are permanent: `0` absent, `1` UTF-8 text, `2` bytes.
pub trait Plaintext: Zeroize + Sized {
    /// The type byte and the value's bytes.
    fn encoded(&self) -> (u8, &[u8]);

    /// The value that `encoded` made these of, or nothing.
    fn decode(kind: u8, value: &[u8]) -> Option<Self>;
}

/// A [`Plaintext`] that is always there, so that an `Option` of it reads back as it was.
pub trait Present: Plaintext {}

const ABSENT: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;

impl Plaintext for String {
    fn encoded(&self) -> (u8, &[u8]) {
        (TEXT, self.as_bytes())
    }

    fn decode(kind: u8, value: &[u8]) -> Option<Self> {
        let text = (kind == TEXT).then(|| std::str::from_utf8(value).ok())?;
        text.map(str::to_owned)
    }
}

impl Present for String {}

impl Plaintext for Vec<u8> {
    fn encoded(&self) -> (u8, &[u8]) {
        (BYTES, self)
    }

    fn decode(kind: u8, value: &[u8]) -> Option<Self> {
        (kind == BYTES).then(|| value.to_vec())
    }
}

impl Present for Vec<u8> {}

/// Absence is sealed like a value, where it would tell something.
impl<T: Present> Plaintext for Option<T> {
    fn encoded(&self) -> (u8, &[u8]) {
        self.as_ref().map_or((ABSENT, &[]), Plaintext::encoded)
    }

    fn decode(kind: u8, value: &[u8]) -> Option<Self> {
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

    #[test]
    fn a_column_that_becomes_optional_still_opens_what_it_held() {
        let ada = "Ada".to_owned();
        let (kind, value) = ada.encoded();
        assert_eq!(
            Option::<String>::decode(kind, value),
            Some(Some("Ada".to_owned()))
        );
    }

    #[test]
    fn bytes_are_not_read_as_text() {
        assert_eq!(String::decode(BYTES, b"Ada"), None);
        assert_eq!(String::decode(TEXT, &[0xff]), None);
        assert_eq!(Option::<Vec<u8>>::decode(ABSENT, b"Ada"), None);
    }
}
