//! The encodings in which a text may be stored in a file.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded::byte_serialize;

/// An encoding of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// UTF-8.
    Plain,
    /// UTF-8 in lower or upper case, as in a normalized index.
    Folded,
    /// ISO 8859-1, as from a client with the wrong character set.
    Latin1,
    /// JSON with escapes outside ASCII.
    JsonEscaped,
    /// A field of a form.
    UrlEncoded,
    /// UTF-16, little- or big-endian.
    Utf16,
    /// Hexadecimal digits.
    Hex,
    /// Base64, at any offset of a longer text.
    Base64,
}

/// Every distinct encoding of a text.
#[must_use]
pub(crate) fn encodings(value: &str) -> Vec<(Encoding, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut all = vec![
        (Encoding::Plain, bytes.to_vec()),
        (Encoding::Folded, value.to_lowercase().into_bytes()),
        (Encoding::Folded, value.to_uppercase().into_bytes()),
        (Encoding::JsonEscaped, json_escaped(value).into_bytes()),
        (
            Encoding::UrlEncoded,
            byte_serialize(bytes).collect::<String>().into_bytes(),
        ),
        (Encoding::Hex, hex::encode(bytes).into_bytes()),
        (Encoding::Hex, hex::encode_upper(bytes).into_bytes()),
        (
            Encoding::Utf16,
            value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            Encoding::Utf16,
            value.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ];
    let latin1: Option<Vec<u8>> = value
        .chars()
        .map(|letter| u8::try_from(letter).ok())
        .collect();
    all.extend(latin1.map(|bytes| (Encoding::Latin1, bytes)));
    for before in 0..3 {
        all.extend(base64(bytes, before).map(|text| (Encoding::Base64, text)));
    }
    let mut seen = BTreeSet::new();
    all.retain(|(_, text)| !text.is_empty() && seen.insert(text.clone()));
    all
}

/// The base64 characters that depend on these bytes alone, where the number of bytes before them is
/// `before` modulo 3.
fn base64(bytes: &[u8], before: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut padded = vec![0; before];
    padded.extend(bytes);
    // Six bits per character: characters that contain bits of a neighbour are omitted.
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [
        STANDARD_NO_PAD.encode(&padded),
        URL_SAFE_NO_PAD.encode(&padded),
    ]
    .into_iter()
    .filter_map(move |text| Some(text.get(first..last)?.as_bytes().to_vec()))
    // Shorter texts would be found by chance.
    .filter(|text| text.len() >= 7)
}

fn json_escaped(value: &str) -> String {
    let mut text = String::new();
    for unit in value.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(letter @ (b'"' | b'\\')) => text.extend(['\\', char::from(letter)]),
            Some(letter) => text.push(char::from(letter)),
            None => text.extend(["\\u".to_owned(), format!("{unit:04x}")]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_inside_a_longer_text_is_found_in_its_base64() {
        for before in ["", "a", "ab", "abc"] {
            let text = URL_SAFE_NO_PAD.encode(format!("{before}Leticia Márquez, born long ago"));
            let found = encodings("Leticia Márquez")
                .iter()
                .filter(|(encoding, _)| *encoding == Encoding::Base64)
                .any(|(_, part)| text.contains(std::str::from_utf8(part).unwrap()));
            assert!(found, "{before:?}");
        }
    }

    #[test]
    fn letters_outside_ascii_are_spelled_in_each_way() {
        let all = encodings("Márquez");
        let has = |encoding, text: &[u8]| all.contains(&(encoding, text.to_vec()));
        assert!(has(Encoding::Plain, "Márquez".as_bytes()));
        assert!(has(Encoding::Folded, "márquez".as_bytes()));
        assert!(has(Encoding::Latin1, b"M\xe1rquez"));
        assert!(has(Encoding::JsonEscaped, b"M\\u00e1rquez"));
        assert!(has(Encoding::UrlEncoded, b"M%C3%A1rquez"));
        assert!(has(Encoding::Hex, b"4dc3a1727175657a"));
    }
}
