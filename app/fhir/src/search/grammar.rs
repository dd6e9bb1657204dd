//! The grammar of search values: R4 3.1.1.4.4 (escapes) and 3.1.1.4.9 (a comma is OR).

use zeroize::Zeroizing;

/// The error for a value with an escape that R4 does not define, or an empty alternative.
pub(super) struct Malformed;

/// Splits at separators that are not escaped; the parts keep their escapes.
pub(super) fn split(value: &str, separator: char) -> Result<Vec<&str>, Malformed> {
    let mut parts = Vec::new();
    let mut begin = 0_usize;
    let mut letters = value.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            match letters.next() {
                Some((_, '\\' | ',' | '|' | '$')) => {}
                Some(_) | None => return Err(Malformed),
            }
        } else if letter == separator {
            parts.push(value.get(begin..at).ok_or(Malformed)?);
            begin = at.saturating_add(letter.len_utf8());
        }
    }
    parts.push(value.get(begin..).ok_or(Malformed)?);
    Ok(parts)
}

/// The alternatives of a value, with their escapes; none is empty.
pub(super) fn alternatives(value: &str) -> Result<Vec<&str>, Malformed> {
    let parts = split(value, ',')?;
    if parts.iter().any(|part| part.trim().is_empty()) {
        return Err(Malformed);
    }
    Ok(parts)
}

/// A part without its escapes.
pub(super) fn unescape(part: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(part.len()));
    let mut letters = part.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' {
            letters.next().unwrap_or(letter)
        } else {
            letter
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> Option<Vec<String>> {
        let parts = alternatives(value).ok()?;
        Some(
            parts
                .into_iter()
                .map(|part| unescape(part).to_string())
                .collect(),
        )
    }

    #[test]
    fn a_comma_separates_unless_it_is_escaped() {
        assert_eq!(read("a,b").unwrap(), ["a", "b"]);
        assert_eq!(read(r"a\,b,c\\,d\|\$").unwrap(), ["a,b", r"c\", "d|$"]);
        for malformed in ["", ",", "a,", ",a", "a,,b", r"a\", r"a\b", r"\"] {
            assert!(read(malformed).is_none(), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn what_was_escaped_is_read_back(values in proptest::collection::vec("[a-z,|$\\\\é]{1,8}", 1..4)) {
            let escape = |value: &String| {
                let escaped = value.chars().flat_map(|letter| {
                    let special = matches!(letter, '\\' | ',' | '|' | '$');
                    special.then_some('\\').into_iter().chain([letter])
                });
                escaped.collect::<String>()
            };
            let sent = values.iter().map(escape).collect::<Vec<_>>().join(",");
            prop_assert_eq!(read(&sent), Some(values));
        }
    }
}
