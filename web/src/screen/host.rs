//! Screening of the host of a request.

use http::StatusCode;
use http::Version;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::uri::Scheme;

use crate::config::Origin;
use crate::config::is_same_authority;
use crate::problem::Problem;
use crate::problem::Reason;

/// Checks that a request has exactly one host, the configured origin's or an additional one.
///
/// # Errors
/// 400 if the host is missing or ambiguous, 421 if it is another one.
pub(super) fn check(head: &Parts, origin: &Origin, is_health: bool) -> Result<(), Problem> {
    let malformed =
        Problem::bad_request("a request must have exactly one host").with_reason(Reason::Host);
    // Every connection of this listener is TLS.
    if head
        .uri
        .scheme()
        .is_some_and(|scheme| *scheme != Scheme::HTTPS)
    {
        return Err(Problem::bad_request("the scheme must be https").with_reason(Reason::Host));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (header, None) => header.map(|value| value.to_str()).transpose(),
        _ => return Err(malformed),
    };
    let header = header.map_err(|_not_ascii| malformed)?;
    let target = head.uri.authority().map(Authority::as_str);
    let host = match (header, target) {
        (Some(header), Some(target)) if is_same_authority(header, target) => header,
        // In HTTP/2 too: gateways that translate a request in origin form from HTTP/1.1 send `Host`
        // and no `:authority` (RFC 9113, 8.3.1). `h2` requires a `:scheme` in such a request and
        // then drops it, because a URI without an authority has no scheme.
        (Some(only), None) => only,
        // HTTP/2 names the host in `:authority`.
        (None, Some(only)) if head.version == Version::HTTP_2 => only,
        _ => return Err(malformed),
    };
    // Load balancers address health checks to an IP address.
    if origin.serves(host) || is_health {
        return Ok(());
    }
    let detail = "this host is not served here";
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}
