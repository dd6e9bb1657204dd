//! How a text may stand in a file.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded::byte_serialize;

/// A way to write a text down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// As it is, in UTF-8.
    Plain,
    /// In small letters or in capitals, as a normalized index would hold it.
    Folded,
    /// In ISO 8859-1, as a client with the wrong character set would send it.
    Latin1,
    /// In JSON, everything outside ASCII escaped.
    JsonEscaped,
    /// As a field of a form.
    UrlEncoded,
    /// In UTF-16, either way round.
    Utf16,
    /// In hexadecimal digits.
    Hex,
    /// In base64, wherever in a longer text it stands.
    Base64,
}

/// Every spelling of a text, none twice.
#[must_use]
pub(crate) fn spellings(value: &str) -> Vec<(Spelling, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut all = vec![
        (Spelling::Plain, bytes.to_vec()),
        (Spelling::Folded, value.to_lowercase().into_bytes()),
        (Spelling::Folded, value.to_uppercase().into_bytes()),
        (Spelling::JsonEscaped, json_escaped(value).into_bytes()),
        (
            Spelling::UrlEncoded,
            byte_serialize(bytes).collect::<String>().into_bytes(),
        ),
        (Spelling::Hex, hex::encode(bytes).into_bytes()),
        (Spelling::Hex, hex::encode_upper(bytes).into_bytes()),
        (
            Spelling::Utf16,
            value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            Spelling::Utf16,
            value.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ];
    let latin1: Option<Vec<u8>> = value
        .chars()
        .map(|letter| u8::try_from(letter).ok())
        .collect();
    all.extend(latin1.map(|bytes| (Spelling::Latin1, bytes)));
    for before in 0..3 {
        all.extend(base64(bytes, before).map(|text| (Spelling::Base64, text)));
    }
    let mut seen = BTreeSet::new();
    all.retain(|(_, text)| !text.is_empty() && seen.insert(text.clone()));
    all
}

/// What base64 makes of the bytes when so many others (modulo 3) stand before them: the letters that
/// depend on the bytes alone.
fn base64(bytes: &[u8], before: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut padded = vec![0; before];
    padded.extend(bytes);
    // Six bits a letter: those that touch a neighbour's bits are left out.
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [
        STANDARD_NO_PAD.encode(&padded),
        URL_SAFE_NO_PAD.encode(&padded),
    ]
    .into_iter()
    .filter_map(move |text| Some(text.get(first..last)?.as_bytes().to_vec()))
    // Fewer would be found by accident.
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
            let found = spellings("Leticia Márquez")
                .iter()
                .filter(|(spelling, _)| *spelling == Spelling::Base64)
                .any(|(_, part)| text.contains(std::str::from_utf8(part).unwrap()));
            assert!(found, "{before:?}");
        }
    }

    #[test]
    fn letters_outside_ascii_are_spelled_in_each_way() {
        let all = spellings("Márquez");
        let has = |spelling, text: &[u8]| all.contains(&(spelling, text.to_vec()));
        assert!(has(Spelling::Plain, "Márquez".as_bytes()));
        assert!(has(Spelling::Folded, "márquez".as_bytes()));
        assert!(has(Spelling::Latin1, b"M\xe1rquez"));
        assert!(has(Spelling::JsonEscaped, b"M\\u00e1rquez"));
        assert!(has(Spelling::UrlEncoded, b"M%C3%A1rquez"));
        assert!(has(Spelling::Hex, b"4dc3a1727175657a"));
    }
}
