//! The host that a request is for.

use http::{
    StatusCode, Version,
    header::HOST,
    request::Parts,
    uri::{Authority, Scheme},
};

use crate::{
    config::{Origin, is_loopback},
    problem::{Problem, Reason},
};

/// Exactly one host, and it is ours: a request for another is not answered as if it were for us.
pub(super) fn check(head: &Parts, origin: &Origin, is_health: bool) -> Result<(), Problem> {
    let malformed =
        Problem::bad_request("a request has exactly one host").with_reason(Reason::Host);
    // There is TLS below, whatever the client believes.
    if head
        .uri
        .scheme()
        .is_some_and(|scheme| *scheme != Scheme::HTTPS)
    {
        return Err(Problem::bad_request("the scheme is https").with_reason(Reason::Host));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (header, None) => header.map(|value| value.to_str()).transpose(),
        _ => return Err(malformed),
    };
    let header = header.map_err(|_not_ascii| malformed)?;
    let target = head.uri.authority().map(Authority::as_str);
    let host = match (header, target) {
        (Some(header), Some(target)) if header.eq_ignore_ascii_case(target) => header,
        // In HTTP/2 too: gateways that translate a request in origin form from HTTP/1.1 send `Host`
        // and no `:authority` (RFC 9113, 8.3.1). The library demands a `:scheme` of it, and drops
        // the scheme, which a URI without an authority cannot hold; there is TLS below anyway.
        (Some(only), None) => only,
        // HTTP/2 has its own place for it.
        (None, Some(only)) if head.version == Version::HTTP_2 => only,
        _ => return Err(malformed),
    };
    let ours = host.eq_ignore_ascii_case(origin.authority())
        || (origin.is_loopback() && is_loopback(&host.to_ascii_lowercase()));
    // Load balancers ask for health by address.
    if ours || is_health {
        return Ok(());
    }
    let detail = "this host is not served here";
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}
