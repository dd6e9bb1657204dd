//! Each header that the app will see, against the one form that it has.
//!
//! What a browser or a client sends beside (`headers.rs` has the list of what passes) is dropped
//! there, and need not be read here.

use http::{HeaderMap, HeaderValue, StatusCode};

use super::agent;
use crate::problem::{Problem, Reason};

const LONGEST_LIST: usize = 1024;
const LONGEST_TOKEN: usize = 4096;
const LONGEST_WORD: usize = 256;

/// Refuses a head of which any header is not what it should be.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    for (name, value) in headers {
        let bytes = value.as_bytes();
        let sound = match name.as_str() {
            "accept" => is_list(bytes, is_media_range),
            "accept-encoding" => is_list(bytes, is_coding),
            "accept-language" => is_list(bytes, is_language),
            "content-type" | "prefer" => is_list(bytes, is_any),
            "authorization" if is_bearer(bytes) => true,
            "authorization" => return Err(credentials()),
            "content-encoding" if bytes.eq_ignore_ascii_case(b"identity") => true,
            "content-encoding" => return Err(compressed()),
            "if-match" | "if-none-match" => is_tags(bytes),
            "if-modified-since" => is_date(bytes),
            "origin" => is_origin(bytes),
            "sec-fetch-dest" | "sec-fetch-mode" | "sec-fetch-site" | "sec-fetch-user" => {
                is_word(bytes)
            }
            "user-agent" => {
                agent::check(bytes)?;
                true
            }
            "upgrade" => return Err(Problem::bad_request("no other protocol is spoken here")),
            "expect" if bytes.eq_ignore_ascii_case(b"100-continue") => true,
            "expect" => return Err(expectation()),
            other => {
                check_name(other)?;
                true
            }
        };
        if !sound {
            return Err(ill_formed(value));
        }
    }
    Ok(())
}

/// The name of a header that goes no further. With an underscore, some reader behind us may take it
/// for the name with a hyphen; a quotation mark is in no name (RFC 9110, 5.6.2).
fn check_name(name: &str) -> Result<(), Problem> {
    match memchr::memchr2(b'_', b'"', name.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(Problem::bad_request(
            "a header's name has letters, digits and hyphens",
        )),
    }
}

fn expectation() -> Problem {
    let detail = "what is expected here is 100-continue or nothing";
    Problem::new(StatusCode::EXPECTATION_FAILED, detail).because(Reason::Malformed)
}

fn ill_formed(value: &HeaderValue) -> Problem {
    let reason = match super::injection::find(value.as_bytes()) {
        Some(_) => Reason::Injection,
        None => Reason::Malformed,
    };
    Problem::bad_request("a header is not in its form").because(reason)
}

fn credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "credentials are a bearer token: see POST /api/v1/tokens",
    )
}

fn compressed() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "a body is sent as it is, not compressed",
    )
}

/// A list (RFC 9110, 5.6.1) of items of a form, each with parameters.
fn is_list(value: &[u8], is_item: fn(&[u8]) -> bool) -> bool {
    let is_sound = |member: &[u8]| {
        let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let item = parts.next().unwrap_or_default();
        is_item(item) && parts.all(is_parameter) && (!item.is_empty() || member.len() < 2)
    };
    value.len() <= LONGEST_LIST && value.split(|byte| *byte == b',').all(is_sound)
}

/// `q=0.8`, `charset="utf-8"`, or nothing after a last semicolon.
fn is_parameter(parameter: &[u8]) -> bool {
    parameter.is_empty() || (parameter.contains(&b'=') && is_any(parameter))
}

/// `text/html`, `application/*`, `*/*`, or the `*` of Java.
fn is_media_range(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"*+-._".contains(byte);
    let mut parts = item.split(|byte| *byte == b'/');
    let (kind, subtype) = (parts.next(), parts.next());
    let sound = |part: &[u8]| !part.is_empty() && part.iter().all(allowed);
    let lone = matches!(item, b"" | b"*");
    lone || (kind.is_some_and(sound) && subtype.is_some_and(sound) && parts.next().is_none())
}

/// `zh-Hant-TW` (BCP 47), or `*`.
fn is_language(item: &[u8]) -> bool {
    let sound = |part: &[u8]| part.len() <= 8 && part.iter().all(u8::is_ascii_alphanumeric);
    matches!(item, b"" | b"*") || item.split(|byte| b"-_".contains(byte)).all(sound)
}

/// `gzip`, or `*`.
fn is_coding(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-_".contains(byte);
    item.len() <= 16 && item.iter().all(allowed)
}

/// A media type, or a preference with its value.
fn is_any(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b" =*/+-._\"\t".contains(byte);
    item.iter().all(allowed)
}

/// `Bearer`, a space, a token (RFC 6750, 2.1).
fn is_bearer(value: &[u8]) -> bool {
    let Some((scheme, token)) = value.split_at_checked(7) else {
        return false;
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    scheme.eq_ignore_ascii_case(b"bearer ")
        && (1..=LONGEST_TOKEN).contains(&token.len())
        && token.iter().all(allowed)
}

/// `*`, or entity tags (RFC 9110, 8.8.3) of letters, digits and a few signs.
fn is_tags(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"\"/, \t-._~:+=".contains(byte);
    value == b"*"
        || (value.len() <= LONGEST_LIST
            && value.iter().all(allowed)
            && value.split(|byte| *byte == b',').all(is_tag))
}

fn is_tag(tag: &[u8]) -> bool {
    let tag = tag.trim_ascii();
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let opaque = tag
        .strip_prefix(b"\"")
        .and_then(|tag| tag.strip_suffix(b"\""));
    opaque.is_some_and(|opaque| !opaque.contains(&b'"'))
}

fn is_date(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b" ,:+-".contains(byte);
    value.len() <= 40 && value.iter().all(allowed)
}

fn is_origin(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b":/.-_[]".contains(byte);
    value.len() <= LONGEST_WORD && value.iter().all(allowed)
}

/// `same-origin`, `navigate`, `?1`.
fn is_word(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || b"-?01".contains(byte);
    value.len() <= 40 && value.iter().all(allowed)
}
