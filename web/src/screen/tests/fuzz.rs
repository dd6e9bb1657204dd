//! Fuzz targets: request targets and headers.

use std::sync::LazyLock;

use http::HeaderMap;

use super::*;

/// The names of screened headers, and one that is removed.
const NAMES: [&str; 17] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "content-encoding",
    "content-type",
    "expect",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "origin",
    "prefer",
    "sec-fetch-mode",
    "upgrade",
    "user-agent",
    "x-other",
];

/// An admitted target is in normal form, and its query has only described names, each once, with
/// values of closed sets.
#[test]
fn fuzz_request_target() {
    static SCHEMA: LazyLock<ApiSchema> = LazyLock::new(api_schema);
    bolero::check!().for_each(|target: &[u8]| {
        let Ok(uri) = Uri::try_from(target) else {
            return;
        };
        if check_target(&uri, &SCHEMA).is_err() {
            return;
        }
        let path = uri.path();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~$".contains(&byte);
        assert!(
            path.starts_with('/') && path.bytes().all(is_plain),
            "{path}"
        );
        assert!(!path.contains("//"), "{path}");
        assert!(
            path.split('/')
                .all(|segment| !matches!(segment, "." | ".."))
        );
        let mut seen = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            assert!(
                pair.is_empty() || is_repeatable(name) || !seen.contains(&name),
                "{name} twice"
            );
            assert!(pair.is_empty() || is_described(name, value), "{pair}");
            seen.push(name);
        }
    });
}

/// Whether the schema of a parameter in `app/openapi.json` is an array.
fn is_repeatable(name: &str) -> bool {
    matches!(
        name,
        "category" | "status" | "_lastUpdated" | "_include" | "_revinclude"
    )
}

/// Whether `app/openapi.json` describes a parameter.
fn is_described(name: &str, value: &str) -> bool {
    let value = injection::percent_decoded(value.as_bytes()).unwrap();
    let value = String::from_utf8(value).unwrap();
    // What the patterns below admit: no space, no quote, no markup.
    let is_plain = |extra: &[u8]| {
        let mut bytes = value.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    };
    match name {
        "page" => value
            .parse()
            .is_ok_and(|page| (1..=100_000).contains(&page)),
        "_count" => value
            .parse()
            .is_ok_and(|count| (0..=1_000_000).contains(&count)),
        "_pretty" => matches!(value.as_str(), "true" | "false"),
        "_summary" => matches!(value.as_str(), "true" | "text" | "data" | "count" | "false"),
        "_total" => matches!(value.as_str(), "none" | "estimate" | "accurate"),
        "_totalMethod" => matches!(value.as_str(), "count" | "estimate"),
        "order" => matches!(value.as_str(), "asc" | "desc"),
        "sort" => matches!(value.as_str(), "family" | "birth_date"),
        "_format" => value.ends_with("json") && value.len() <= "application/fhir+json".len(),
        "kind" => value.bytes().all(|byte| byte.is_ascii_alphabetic()),
        "patient" | "subject" | "encounter" => value.len() >= 36 && is_plain(b"-/"),
        "_id" => value.len() >= 36 && is_plain(b"-,"),
        "category" | "status" => is_plain(b":/.-|,"),
        "_lastUpdated" | "_since" => value.len() <= 48 && is_plain(b"-:.+ "),
        "_sort" => is_plain(b"_,-"),
        "_include" | "_revinclude" => is_plain(b":*-"),
        "_cursor" => is_plain(b"_-"),
        "_elements" => is_plain(b".,"),
        _ => false,
    }
}

/// The first byte chooses the header, the others are its value. An accepted value is ASCII; text,
/// which may stand in `User-Agent` and in quoted strings only, was searched for code.
#[test]
fn fuzz_header() {
    bolero::check!().for_each(|input: &[u8]| {
        let Some((choice, value)) = input.split_first() else {
            return;
        };
        let name = NAMES[usize::from(*choice) % NAMES.len()];
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return;
        };
        let bytes = value.as_bytes();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
        // Other headers are removed, and so are malformed validators.
        let is_removed = matches!(
            name,
            "x-other" | "if-modified-since" | "if-none-match" | "if-unmodified-since"
        );
        if headers::check(&headers).is_err() || is_removed {
            return;
        }
        assert!(bytes.is_ascii(), "{name}");
        if name == "user-agent" {
            assert!(injection::find(bytes).is_none(), "{bytes:?}");
        } else if !bytes.contains(&b'"') {
            let is_code = |byte: &u8| b"<>(){}\\'$`@".contains(byte);
            assert!(!bytes.iter().any(is_code), "{name}: {bytes:?}");
        }
        assert!(name != "upgrade");
    });
}
