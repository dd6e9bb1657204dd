//! Header rewriting: which headers of requests and responses are forwarded, removed and set.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use http::header::Entry;
use telemetry::RequestId;
use telemetry::X_REQUEST_ID;
use tracing::Span;

use crate::client::Client;
use crate::client::X_AMZN_TRACE_ID;
use crate::client::X_FORWARDED_FOR;
use crate::config::Origin;
use crate::problem::Problem;
use crate::screen::cookies;
use crate::screen::validators;

/// The scheme that the client used.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The configured origin's authority.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Request headers that are forwarded and may occur once. Headers on neither list are removed,
/// including every header, known or unknown, that asserts an identity or a client address.
const SINGLE: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::USER_AGENT,
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-user"),
];

/// Request headers that are forwarded and may occur repeatedly, because they are lists.
const LISTS: [HeaderName; 6] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("prefer"),
];

/// Response headers that are removed: hop-by-hop ones, and those that name the server's software.
const STRIPPED_FROM_RESPONSES: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::SERVER,
    HeaderName::from_static("x-powered-by"),
    header::ALT_SVC,
];

/// The headers of the request to the upstream: those forwarded from the client, and those set by
/// this tier. Framing headers are added by the encoder.
///
/// # Errors
/// 400 if a header that may occur once is repeated.
pub(crate) fn to_upstream(
    from: &HeaderMap,
    client: &Client,
    origin: &Origin,
    cookie: &str,
    request: RequestId,
) -> Result<HeaderMap, Problem> {
    let mut to = HeaderMap::with_capacity(24);
    for name in SINGLE {
        let mut values = from.get_all(&name).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            return Err(Problem::bad_request(
                "a header that may occur only once is repeated",
            ));
        }
        to.insert(name, value.clone());
    }
    for name in LISTS {
        for value in from.get_all(&name) {
            to.append(&name, value.clone());
        }
    }
    if let Some(session) = cookies::session_cookie(from, cookie) {
        to.insert(header::COOKIE, session);
    }
    validators::remove_malformed(&mut to);
    remove_connection_options(&mut to, from);
    // Only the client's address, without the hops in between.
    if let Ok(address) = HeaderValue::try_from(client.address.to_string()) {
        to.insert(X_FORWARDED_FOR, address);
    }
    if let Some(trace) = &client.trace {
        to.insert(X_AMZN_TRACE_ID, trace.clone());
    }
    to.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    to.insert(X_FORWARDED_HOST, origin.header());
    to.insert(X_REQUEST_ID, request.header_value());
    telemetry::trace::inject(&Span::current(), request, &mut to);
    Ok(to)
}

/// Removes the headers that the client's `Connection` lists, which are hop-by-hop (RFC 9110,
/// 7.6.1). `Content-Type` stays: without it the body would be read as another type.
fn remove_connection_options(to: &mut HeaderMap, from: &HeaderMap) {
    let values = from.get_all(header::CONNECTION).iter();
    let options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for option in options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()) {
        if option != header::CONTENT_TYPE {
            to.remove(option);
        }
    }
}

/// Rewrites the headers of a response, upstream or local, for the client.
pub(crate) fn to_client(headers: &mut HeaderMap, request: RequestId) {
    // The headers that the upstream's `Connection` lists are hop-by-hop.
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.iter().chain(&STRIPPED_FROM_RESPONSES) {
        headers.remove(name);
    }
    // An id never repeats: marked as sensitive, it does not occupy HPACK's dynamic table.
    let mut id = request.header_value();
    id.set_sensitive(true);
    headers.insert(X_REQUEST_ID, id);
    for (name, value) in SECURITY_HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    // The app may set these. Without them, a page may load nothing and nothing is cached.
    for (name, value) in DEFAULT_HEADERS {
        if let Entry::Vacant(vacant) = headers.entry(HeaderName::from_static(name)) {
            vacant.insert(HeaderValue::from_static(value));
        }
    }
}

/// Headers that every response has.
const SECURITY_HEADERS: [(&str, &str); 7] = [
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Headers that a response has unless the app set them.
const DEFAULT_HEADERS: [(&str, &str); 2] = [
    (
        "content-security-policy",
        "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cache-control", "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        map
    }

    fn forwarded(headers: &[(&'static str, &'static str)]) -> Result<HeaderMap, Problem> {
        let origin = "https://clinic.example".parse().unwrap();
        let client = Client {
            address: [10, 1, 2, 3].into(),
            trace: None,
        };
        to_upstream(
            &map(headers),
            &client,
            &origin,
            "__Host-session",
            RequestId::random(),
        )
    }

    #[test]
    fn forged_headers_are_replaced_or_dropped() {
        let to = forwarded(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-host", "evil.example"),
            ("x-request-id", "forged"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("x-user", "admin"),
            ("x-role", "clinician"),
            ("x-client-cert", "forged"),
            ("x-http-method-override", "DELETE"),
            ("baggage", "role=clinician"),
            ("authorization", "Bearer kept"),
        ])
        .unwrap();
        assert_eq!(to["x-forwarded-for"], "10.1.2.3");
        assert_eq!(to["x-forwarded-host"], "clinic.example");
        assert_eq!(to["authorization"], "Bearer kept");
        assert!(RequestId::from_headers(&to).is_some());
        assert!(
            !to["traceparent"]
                .to_str()
                .unwrap()
                .contains("0af7651916cd43dd")
        );
        let mut names: Vec<&str> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "authorization",
                "traceparent",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-request-id"
            ]
        );
    }

    #[test]
    fn malformed_conditions_are_dropped_and_others_are_forwarded() {
        let to = forwarded(&[
            ("if-none-match", "W/\"1\""),
            ("if-none-match", "\"2\""),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("if-unmodified-since", "now"),
            ("if-match", "*"),
        ])
        .unwrap();
        let tags: Vec<_> = to.get_all("if-none-match").iter().collect();
        assert_eq!(tags, ["W/\"1\"", "\"2\""]);
        assert_eq!(to["if-modified-since"], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(to["if-match"], "*");
        assert!(!to.contains_key("if-unmodified-since"));
        let to = forwarded(&[
            ("if-none-match", "\"1\""),
            ("if-none-match", "2"),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ])
        .unwrap();
        assert!(!to.contains_key("if-none-match") && !to.contains_key("if-modified-since"));
    }

    #[test]
    fn headers_that_connection_lists_are_not_forwarded() {
        let to = forwarded(&[
            ("connection", "keep-alive, authorization,"),
            (
                "connection",
                "Accept, cookie, x-forwarded-for, content-type",
            ),
            ("authorization", "Bearer a"),
            ("accept", "text/html"),
            ("cookie", "__Host-session=1"),
            ("content-type", "application/json"),
        ])
        .unwrap();
        for name in ["authorization", "accept", "cookie"] {
            assert!(!to.contains_key(name), "{name}");
        }
        assert!(to.contains_key("content-type") && to.contains_key("x-forwarded-for"));
    }

    #[test]
    fn hop_by_hop_headers_are_forwarded_in_neither_direction() {
        let hops = [
            ("connection", "close, x-listed"),
            ("x-listed", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-connection", "keep-alive"),
        ];
        let to = forwarded(&hops).unwrap();
        let mut back = map(&hops);
        to_client(&mut back, RequestId::random());
        for (name, _) in hops {
            assert!(!to.contains_key(name) && !back.contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_repeated_header_that_may_occur_once_is_refused() {
        assert!(
            forwarded(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]).is_err()
        );
        let to = forwarded(&[("cookie", "a=1"), ("cookie", "__Host-session=2")]).unwrap();
        assert_eq!(to["cookie"], "__Host-session=2");
        assert_eq!(to.get_all("cookie").iter().count(), 1);
    }

    #[test]
    fn every_response_has_the_security_headers_and_the_app_may_set_its_policy() {
        let mut headers = map(&[
            ("content-security-policy", "default-src 'self'"),
            ("referrer-policy", "unsafe-url"),
            ("server", "app/1.0"),
        ]);
        to_client(&mut headers, RequestId::random());
        assert_eq!(headers["content-security-policy"], "default-src 'self'");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(headers.contains_key("strict-transport-security"));
        assert!(!headers.contains_key("server"));
    }
}
