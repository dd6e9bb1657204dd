//! The validators of conditional requests (RFC 9110, 8.8 and 13): entity tags and dates.

use http::HeaderMap;
use http::HeaderName;
use http::header::IF_MODIFIED_SINCE;
use http::header::IF_NONE_MATCH;
use http::header::IF_UNMODIFIED_SINCE;

use crate::header_grammar;

/// Maximum length of a date, in bytes: 29 to 33, and the `; length=` that old browsers add.
const MAX_DATE_BYTES: usize = 64;

/// Removes malformed conditions. Without `If-None-Match` the client gets a full response, which is
/// always correct; malformed dates must be ignored (RFC 9110, 13.1.3 and 13.1.4). A date beside a
/// malformed entity tag is removed too, because a date counts only if the client sends no tag.
pub(crate) fn remove_malformed(headers: &mut HeaderMap) {
    if !all(headers, &IF_NONE_MATCH, are_tags) {
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
    }
    for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
        if !all(headers, &name, is_date) {
            headers.remove(name);
        }
    }
}

fn all(headers: &HeaderMap, name: &HeaderName, is_valid: fn(&[u8]) -> bool) -> bool {
    let mut values = headers.get_all(name).iter();
    values.all(|value| is_valid(value.as_bytes()))
}

/// Whether a value is `*`, or a list of entity tags.
pub(super) fn are_tags(value: &[u8]) -> bool {
    let is_valid = |tag: &[u8]| tag.is_empty() || is_tag(tag);
    value == b"*" || header_grammar::split(value, b',').all(is_valid)
}

/// Whether a part is an entity tag (RFC 9110, 8.8.3) with the characters of the app's tags, or of
/// those that proxies make of them (`"3-gzip"`). Other tags cannot match.
fn is_tag(tag: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~:+=".contains(byte);
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let opaque = tag
        .strip_prefix(b"\"")
        .and_then(|tag| tag.strip_suffix(b"\""));
    opaque.is_some_and(|opaque| opaque.iter().all(allowed))
}

/// Whether a value is entity tags whose quotation marks are missing, as some clients send: `1`,
/// `W/1`.
pub(super) fn could_be_tags(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.:".contains(byte);
    let is_valid = |tag: &[u8]| {
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        let tag = tag.strip_prefix(b"\"").unwrap_or(tag);
        tag.strip_suffix(b"\"").unwrap_or(tag).iter().all(allowed)
    };
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(is_valid)
}

/// Whether a value could be a date in any format, also with the `; length=` of old browsers.
pub(super) fn could_be_date(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b" ,:+-;=".contains(byte);
    value.len() <= MAX_DATE_BYTES && value.iter().all(allowed)
}

/// Whether a value is a date in one of the three formats of RFC 9110, 5.6.7.
fn is_date(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).unwrap_or_default();
    httpdate::parse_http_date(text).is_ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// Returns the tag and the date that remain.
    fn remaining(tag: Option<&str>, date: Option<&str>) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in [(IF_NONE_MATCH, tag), (IF_MODIFIED_SINCE, date)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
        }
        remove_malformed(&mut headers);
        let text = |name| Some(headers.get(name)?.to_str().unwrap().to_owned());
        (text(IF_NONE_MATCH), text(IF_MODIFIED_SINCE))
    }

    #[test]
    fn well_formed_entity_tags_stay() {
        for tag in [
            "*",
            "\"1\"",
            "W/\"1\"",
            "\"\"",
            "\"1\", W/\"2\",\"3-gzip\"",
            ", \"1\" ,,",
            "\"0123abcd:ef+/=~._-\"",
        ] {
            assert_eq!(remaining(Some(tag), None).0.as_deref(), Some(tag));
        }
    }

    #[test]
    fn a_malformed_entity_tag_is_removed_with_its_date() {
        for tag in [
            "1",
            "W/1",
            "w/\"1\"",
            "\"1",
            "1\"",
            "\"",
            "W/\"3\" \"4\"",
            "\"1\", *",
            "**",
            "\"a b\"",
            "\"a\"b\"",
            "\"a'b\"",
            "\"1\";q=1",
            "\"caf\u{e9}\"",
        ] {
            assert_eq!(remaining(Some(tag), Some(DATE)), (None, None), "{tag}");
        }
    }

    #[test]
    fn only_dates_of_the_three_formats_stay() {
        for date in [
            DATE,
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(remaining(None, Some(date)).1.as_deref(), Some(date));
        }
        for date in [
            "",
            "0",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT; length=3",
        ] {
            assert_eq!(
                remaining(Some("\"1\""), Some(date)),
                (Some("\"1\"".to_owned()), None),
                "{date}"
            );
        }
    }
}
