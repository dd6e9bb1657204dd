//! The common grammar of header fields: lists, parameters and quoted strings (RFC 9110, 5.6).
//!
//! The only parser of that grammar in this tier. Callers validate the values for their fields.

use std::borrow::Cow;

/// A parameter: `q=0.8`, `charset="utf-8"`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    /// The name as sent; names are case-insensitive.
    pub(crate) name: &'a [u8],
    /// The value; for a quoted string, its content without quotes and backslashes.
    pub(crate) value: Cow<'a, [u8]>,
    /// Whether the value was a quoted string, which may contain any visible character.
    pub(crate) quoted: bool,
}

/// The parts of a value between separators, without surrounding white space; separators within
/// quoted strings do not count. Empty parts are included (RFC 9110, 5.6.1.2).
pub(crate) fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let (part, after) = value.split_at_checked(find_unquoted(value, separator))?;
        rest = after.split_first().map(|(_separator, after)| after);
        Some(part.trim_ascii())
    })
}

/// The index of the first separator outside of quoted strings, or the length.
fn find_unquoted(value: &[u8], separator: u8) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = |byte: &u8| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            other => return !quoted && *other == separator,
        }
        false
    };
    value.iter().position(is_separator).unwrap_or(value.len())
}

/// Parses a parameter; `None` if the part is not one. White space around the `=` is skipped: RFC
/// 7240 (`Prefer`) allows it, and senders of other fields add it too.
pub(crate) fn parameter(part: &[u8]) -> Option<Parameter<'_>> {
    let equals = memchr::memchr(b'=', part)?;
    let (name, value) = part.split_at_checked(equals)?;
    let (name, value) = (name.trim_ascii(), value.get(1..)?.trim_ascii());
    if name.is_empty() {
        return None;
    }
    let quoted = value.first() == Some(&b'"');
    let value = if quoted {
        Cow::Owned(unquote(value)?)
    } else {
        Cow::Borrowed(value)
    };
    Some(Parameter {
        name,
        value,
        quoted,
    })
}

/// The content of an ASCII quoted string (RFC 9110, 5.6.4); `None` if the value is not one, or if
/// bytes follow its end.
fn unquote(value: &[u8]) -> Option<Vec<u8>> {
    let visible = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
    let mut content = Vec::with_capacity(value.len());
    let mut rest = value.strip_prefix(b"\"")?.iter().copied();
    loop {
        let byte = match rest.next()? {
            b'"' => return rest.next().is_none().then_some(content),
            b'\\' => rest.next()?,
            other => other,
        };
        content.push(Some(byte).filter(|byte| visible(*byte))?);
    }
}

/// Whether a list of media ranges (`Accept`) names a media type, with a weight above 0. A wildcard
/// does not name it.
pub(crate) fn names_media_type(accept: &[u8], media_type: &str) -> bool {
    split(accept, b',').any(|range| {
        let mut parts = split(range, b';');
        let essence = parts.next().unwrap_or_default();
        essence.eq_ignore_ascii_case(media_type.as_bytes()) && !parts.any(is_weight_of_zero)
    })
}

/// Whether a part is the weight `q=0`, `q=0.0` … (RFC 9110, 12.4.2).
fn is_weight_of_zero(part: &[u8]) -> bool {
    parameter(part).is_some_and(|parameter| {
        parameter.name.eq_ignore_ascii_case(b"q")
            && parameter.value.first() == Some(&b'0')
            && parameter.value.iter().all(|byte| b"0.".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(value: &str, separator: u8) -> Vec<&str> {
        split(value.as_bytes(), separator)
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect()
    }

    #[test]
    fn a_separator_within_a_quoted_string_does_not_count() {
        for (value, expected) in [
            ("", &[""][..]),
            ("a", &["a"]),
            (" a ,\tb,c ", &["a", "b", "c"]),
            ("a,,b,", &["a", "", "b", ""]),
            ("a=\"x,y\", b", &["a=\"x,y\"", "b"]),
            ("a=\"x\\\",y\", b", &["a=\"x\\\",y\"", "b"]),
            ("a=\"x\\\\\",y", &["a=\"x\\\\\"", "y"]),
            ("a\\,b", &["a\\", "b"]),
            ("a=\"x,y", &["a=\"x,y"]),
        ] {
            assert_eq!(parts(value, b','), expected, "{value}");
        }
        assert_eq!(parts("a;b=\";\"; c", b';'), ["a", "b=\";\"", "c"]);
    }

    #[test]
    fn a_parameter_is_a_name_and_a_token_or_a_quoted_string() {
        for (part, name, value, quoted) in [
            ("q=0.8", "q", "0.8", false),
            ("q = 0.8", "q", "0.8", false),
            ("a=", "a", "", false),
            ("a=b=c", "a", "b=c", false),
            ("charset=\"utf-8\"", "charset", "utf-8", true),
            ("a=\"\"", "a", "", true),
            ("a=\"b\\\"c\\\\d\"", "a", "b\"c\\d", true),
            ("a=\"x=y; z, \"", "a", "x=y; z, ", true),
        ] {
            let read = parameter(part.as_bytes()).unwrap();
            assert_eq!(read.name, name.as_bytes(), "{part}");
            assert_eq!(&*read.value, value.as_bytes(), "{part}");
            assert_eq!(read.quoted, quoted, "{part}");
        }
        for part in [
            "",
            "q",
            "=a",
            " =a",
            "a=\"",
            "a=\"b",
            "a=\"b\\",
            "a=\"b\\\"",
            "a=\"b\"c",
            "a=\"\u{7f}\"",
            "a=\"\u{1}\"",
            "a=\"\\\r\"",
            "a=\"caf\u{e9}\"",
        ] {
            assert_eq!(parameter(part.as_bytes()), None, "{part}");
        }
    }

    #[test]
    fn a_media_type_is_named_in_any_case_and_not_with_a_weight_of_zero() {
        for (accept, named) in [
            ("text/html", true),
            ("TEXT/Html;level=1", true),
            ("a/b, text/html;q=0.1", true),
            ("a/b;x=\", text/html\"", false),
            ("text/html;q=0", false),
            ("text/html; Q=0.000", false),
            ("text/html;q=0.001", true),
            ("*/*", false),
            ("text/htmlx", false),
            ("", false),
        ] {
            let found = names_media_type(accept.as_bytes(), "text/html");
            assert_eq!(found, named, "{accept}");
        }
    }

    proptest! {
        /// A quoted string is parsed to the content that was encoded, whatever follows it.
        #[test]
        fn a_quoted_string_survives_a_round_trip(content in "[ -~\t]{0,40}", after in "[a-z ,;]{0,9}") {
            let quoted = content.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("a=\"{quoted}\",{after}");
            let first = split(value.as_bytes(), b',').next().unwrap();
            prop_assert_eq!(&*parameter(first).unwrap().value, content.as_bytes());
        }

        #[test]
        fn arbitrary_bytes_are_parsed_without_a_panic(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let length: usize = split(&value, b',').map(<[u8]>::len).sum();
            prop_assert!(length <= value.len());
            for part in split(&value, b';') {
                drop(parameter(part));
            }
        }
    }
}
