//! Header screening: each forwarded header is compared with the grammar of its field.
//!
//! Headers that `headers.rs` does not list are removed there, and not checked here.

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::Uri;

use super::injection;
use super::user_agent;
use super::validators;
use crate::header_grammar;
use crate::header_grammar::Parameter;
use crate::problem::Problem;
use crate::problem::Reason;

/// Maximum length of a list, in bytes: browsers' `Accept` is the longest in use, with about 200.
const MAX_LIST_BYTES: usize = 1024;
/// Maximum length of a bearer token, in bytes: the app's have 43, those of identity providers some
/// thousands.
const MAX_TOKEN_BYTES: usize = 4096;
/// Maximum length of an origin, in bytes: a host name has at most 253.
const MAX_ORIGIN_BYTES: usize = 270;

/// Checks all headers of a request.
///
/// # Errors
/// 400; 401 for malformed credentials, 415 for a compressed body, 417 for an expectation.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    for (name, value) in headers {
        let bytes = value.as_bytes();
        if is_padded(bytes) {
            return Err(Problem::bad_request(
                "the value of a header begins or ends with white space",
            ));
        }
        let well_formed = match name.as_str() {
            "accept" => is_list(bytes, is_media_range),
            "accept-encoding" => is_list(bytes, is_coding),
            "accept-language" => is_list(bytes, is_language),
            "content-type" => bytes.is_empty() || is_member(bytes, is_media_range),
            "prefer" => is_list(bytes, is_preference),
            "authorization" if is_bearer(bytes) => true,
            "authorization" => return Err(credentials()),
            "content-encoding" if bytes.eq_ignore_ascii_case(b"identity") => true,
            "content-encoding" => return Err(compressed()),
            // Never removed: without the condition the request would do what it was to prevent.
            "if-match" => bytes.len() <= MAX_LIST_BYTES && validators::are_tags(bytes),
            // `headers.rs` removes malformed conditions. Only values that no client sends by
            // mistake are refused.
            "if-none-match" => {
                bytes.len() <= MAX_LIST_BYTES
                    && (validators::are_tags(bytes) || validators::could_be_tags(bytes))
            }
            "if-modified-since" | "if-unmodified-since" => validators::could_be_date(bytes),
            "origin" => is_origin(bytes),
            "sec-fetch-dest" | "sec-fetch-mode" | "sec-fetch-site" | "sec-fetch-user" => {
                is_word(bytes)
            }
            // Nor is this one: the resource would be created a second time.
            "if-none-exist" => return Err(condition()),
            "user-agent" => {
                user_agent::check(bytes)?;
                true
            }
            "upgrade" => {
                return Err(Problem::bad_request(
                    "an upgrade of the protocol is not supported",
                ));
            }
            "expect" if bytes.eq_ignore_ascii_case(b"100-continue") => true,
            "expect" => return Err(expectation()),
            other => {
                check_name(other)?;
                true
            }
        };
        if !well_formed {
            return Err(malformed(value));
        }
    }
    Ok(())
}

/// Checks the name of a header that is removed. Some servers read an underscore as a hyphen; a
/// quotation mark is not allowed in a token (RFC 9110, 5.6.2).
fn check_name(name: &str) -> Result<(), Problem> {
    match memchr::memchr2(b'_', b'"', name.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(Problem::bad_request(
            "the name of a header may have only letters, digits and hyphens",
        )),
    }
}

/// Whether a value begins or ends with white space. The HTTP/1.1 parser has removed it (RFC 9110,
/// 5.5); HTTP/2 forbids it (RFC 9113, 8.2.1).
fn is_padded(value: &[u8]) -> bool {
    value.trim_ascii().len() < value.len()
}

/// The refusal of FHIR's conditional create: the condition is a search, and may identify a person.
fn condition() -> Problem {
    let detail = "If-None-Exist may identify a person: send the request as an entry of a Bundle to POST \
                  [base], with the condition in entry.request.ifNoneExist";
    Problem::bad_request(detail).with_reason(Reason::PhiInUrl)
}

fn expectation() -> Problem {
    let detail = "the only supported expectation is 100-continue";
    Problem::new(StatusCode::EXPECTATION_FAILED, detail).with_reason(Reason::Malformed)
}

fn malformed(value: &HeaderValue) -> Problem {
    let reason = match super::injection::find(value.as_bytes()) {
        Some(_) => Reason::Injection,
        None => Reason::Malformed,
    };
    Problem::bad_request("a header is malformed").with_reason(reason)
}

fn credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "credentials must be a bearer token: see POST /api/v1/tokens",
    )
}

fn compressed() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body must not be compressed",
    )
    .with_accept_encoding("identity")
}

/// Whether a value is a list (RFC 9110, 5.6.1) of items with parameters.
fn is_list(value: &[u8], is_item: fn(&[u8]) -> bool) -> bool {
    let is_valid = |member: &[u8]| member.is_empty() || is_member(member, is_item);
    value.len() <= MAX_LIST_BYTES && header_grammar::split(value, b',').all(is_valid)
}

/// Whether a value is an item with parameters.
fn is_member(member: &[u8], is_item: fn(&[u8]) -> bool) -> bool {
    let mut parts = header_grammar::split(member, b';');
    let item = parts.next().unwrap_or_default();
    !item.is_empty() && is_item(item) && parts.all(|part| part.is_empty() || is_parameter(part))
}

/// Whether a part is a parameter: `q=0.8`, `charset="utf-8"`. The content of a quoted string is
/// free text, and is searched for injected code.
fn is_parameter(part: &[u8]) -> bool {
    let Some(Parameter {
        name,
        value,
        quoted,
    }) = header_grammar::parameter(part)
    else {
        return false;
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"=*/+-._".contains(byte);
    let is_valid = if quoted {
        injection::find(&value).is_none()
    } else {
        value.iter().all(allowed)
    };
    is_valid && name.iter().all(allowed)
}

/// Whether an item is a media range: `text/html`, `application/*`, `*/*`, or `*`, which Java sends.
fn is_media_range(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"*+-._".contains(byte);
    let mut parts = item.split(|byte| *byte == b'/');
    let (kind, subtype) = (parts.next(), parts.next());
    let is_token = |part: &[u8]| !part.is_empty() && part.iter().all(allowed);
    let lone = item == b"*";
    lone || (kind.is_some_and(is_token) && subtype.is_some_and(is_token) && parts.next().is_none())
}

/// Whether an item is a language range: `zh-Hant-TW` (BCP 47), or `*`.
fn is_language(item: &[u8]) -> bool {
    let is_subtag = |part: &[u8]| part.len() <= 8 && part.iter().all(u8::is_ascii_alphanumeric);
    item == b"*" || item.split(|byte| b"-_".contains(byte)).all(is_subtag)
}

/// Whether an item is a content coding: `gzip`, or `*`.
fn is_coding(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-_".contains(byte);
    item.len() <= 16 && item.iter().all(allowed)
}

/// Whether an item is a preference (RFC 7240): `respond-async`, `return=minimal`.
fn is_preference(item: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    item.iter().all(allowed) || is_parameter(item)
}

/// Whether a value is a bearer token: `Bearer 1*SP token` (RFC 6750, 2.1; RFC 9110, 11.4).
fn is_bearer(value: &[u8]) -> bool {
    let Some((scheme, token)) = value.split_at_checked(6) else {
        return false;
    };
    let spaces = token.iter().take_while(|byte| **byte == b' ').count();
    let token = token.get(spaces..).unwrap_or_default();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    scheme.eq_ignore_ascii_case(b"bearer")
        && spaces > 0
        && (1..=MAX_TOKEN_BYTES).contains(&token.len())
        && token.iter().all(allowed)
}

/// Whether a value is an origin: `null`, or `scheme://host[:port]` (RFC 6454, 7.1).
fn is_origin(value: &[u8]) -> bool {
    if value == b"null" {
        return true;
    }
    let Ok(origin) = Uri::try_from(value) else {
        return false;
    };
    // The type of URIs would drop a fragment.
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+.-_:/[]".contains(byte);
    value.len() <= MAX_ORIGIN_BYTES
        && value.iter().all(is_allowed)
        && !value.ends_with(b"/")
        && origin.scheme().is_some()
        && origin.authority().is_some()
        && origin.path() == "/"
}

/// Whether a value is of the form of Fetch Metadata headers: `same-origin`, `navigate`, `?1`.
fn is_word(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || b"-?01".contains(byte);
    value.len() <= 40 && value.iter().all(allowed)
}
