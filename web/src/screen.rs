//! What may pass: everything else is refused before anything of it reaches the app.

use http::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{HOST, UPGRADE},
};

use crate::{
    config::{Origin, is_loopback},
    problem::Problem,
    route,
};

/// The query parameters of FHIR that say nothing about a patient.
const FHIR_PARAMETERS: [&str; 5] = ["_count", "_elements", "_format", "_pretty", "_summary"];

/// The query parameters of pages and of the workflow API.
const PAGE_PARAMETERS: [&str; 6] = ["after", "kind", "next", "order", "page", "sort"];

const LONGEST_PATH: usize = 512;
const LONGEST_QUERY: usize = 512;

/// Refuses what is not a well-formed request for this origin.
pub(crate) fn check<B>(request: &Request<B>, origin: &Origin) -> Result<(), Problem> {
    version(request.version())?;
    method(request.method())?;
    path(request.uri().path())?;
    host(request, origin)?;
    query(request.uri().path(), request.uri().query())?;
    names(request.headers())
}

fn version(version: Version) -> Result<(), Problem> {
    if matches!(version, Version::HTTP_11 | Version::HTTP_2) {
        return Ok(());
    }
    let detail = "HTTP/1.1 and HTTP/2 are spoken here";
    Err(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail))
}

/// Known methods only. A CONNECT that is handed on would make a tunnel of a proxy.
pub(crate) fn method(method: &Method) -> Result<(), Problem> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    if known.contains(method) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not used here",
    ))
}

/// A path is in its one normal form: our paths need no percent sign, no dot segment and no empty
/// one, so whatever has them is an attempt to be read in two ways.
pub(crate) fn path(path: &str) -> Result<(), Problem> {
    if path.len() > LONGEST_PATH {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "the path is too long",
        ));
    }
    let malformed = Problem::bad_request("the path is not in its normal form");
    let segments = path.strip_prefix('/').ok_or(malformed)?;
    // The root, and one slash at the end, are the places where a segment may be empty.
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    if segments.is_empty() {
        return if path == "/" { Ok(()) } else { Err(malformed) };
    }
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$');
    for segment in segments.split('/') {
        if matches!(segment, "" | "." | "..") || !segment.bytes().all(allowed) {
            return Err(malformed);
        }
        if is_ssn(segment) {
            return Err(Problem::bad_request(
                "a URL must not hold what identifies a person",
            ));
        }
    }
    Ok(())
}

/// Exactly one host, and it is ours: a request for another is not answered as if it were for us.
fn host<B>(request: &Request<B>, origin: &Origin) -> Result<(), Problem> {
    let malformed = Problem::bad_request("a request has exactly one host");
    let mut hosts = request.headers().get_all(HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (header, None) => header.map(|value| value.to_str()).transpose(),
        _ => return Err(malformed),
    };
    let header = header.map_err(|_not_ascii| malformed)?;
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let host = match (header, target) {
        (Some(header), Some(target)) if header.eq_ignore_ascii_case(target) => header,
        (Some(only), None) => only,
        // HTTP/2 has its own place for it.
        (None, Some(only)) if request.version() == Version::HTTP_2 => only,
        _ => return Err(malformed),
    };
    let ours = host.eq_ignore_ascii_case(origin.authority())
        || (origin.is_loopback() && is_loopback(&host.to_ascii_lowercase()));
    // Load balancers ask for health by address.
    if ours || matches!(request.uri().path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "this host is not served here",
    ))
}

/// No PHI in a URL: URLs end up in histories, logs and links. Only parameters that can't carry any
/// are let through, and their values only if they look like what these parameters take.
pub(crate) fn query(path: &str, query: Option<&str>) -> Result<(), Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    let fhir = route::is_fhir(path);
    let refused = Problem::bad_request(if fhir {
        "a search parameter must not stand in a URL: use POST and [type]/_search, with the \
         parameters as a form"
    } else {
        "this query parameter is not used here: what identifies a person must not stand in a URL"
    });
    if query.len() > LONGEST_QUERY {
        return Err(refused);
    }
    let allowed: &[&str] = if fhir {
        &FHIR_PARAMETERS
    } else {
        &PAGE_PARAMETERS
    };
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !allowed.contains(&name) || !is_harmless(value) {
            return Err(refused);
        }
    }
    Ok(())
}

/// A number, a word, a list of words, a media type, a UUID or a cursor; nothing that looks like an
/// identifier of a person.
fn is_harmless(value: &str) -> bool {
    let plain = value
        .replace("%2F", "/")
        .replace("%2f", "/")
        .replace("%2B", "+");
    let plain = plain
        .replace("%2b", "+")
        .replace("%2C", ",")
        .replace("%2c", ",");
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b',' | b'=')
    };
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    let numbers_only = plain
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    plain.len() <= 128 && plain.bytes().all(allowed) && !(numbers_only && digits > 6)
}

fn is_ssn(text: &str) -> bool {
    let bytes = text.as_bytes();
    let dashed = bytes.len() == 11
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            3 | 6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    dashed || (bytes.len() == 9 && bytes.iter().all(u8::is_ascii_digit))
}

/// Header names that some reader behind us takes for another name; and no change of protocol.
fn names(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(UPGRADE) {
        return Err(Problem::bad_request("no other protocol is spoken here"));
    }
    if headers.keys().any(|name| name.as_str().contains('_')) {
        return Err(Problem::bad_request(
            "a header's name must not contain an underscore",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn origin() -> Origin {
        "https://clinic.example".parse().unwrap()
    }

    fn get(uri: &str, host: &str) -> Request<()> {
        Request::get(uri).header(HOST, host).body(()).unwrap()
    }

    #[test]
    fn an_ordinary_request_passes() {
        for uri in [
            "/",
            "/patients?page=2&sort=family&order=asc",
            "/fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d?_format=application%2Ffhir%2Bjson",
            "/fhir/Patient/_search",
            "/assets/app.css",
            "https://clinic.example/",
        ] {
            assert_eq!(
                check(&get(uri, "clinic.example"), &origin()),
                Ok(()),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_path_has_one_form() {
        for path in [
            "",
            "*",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/%2e%2e/a",
            "/a%2Fb",
            "/a%00",
            "/a\\b",
            "/a;x=1",
            "/a b",
            "/caf\u{e9}",
            "/a:b",
            "/a@b",
            "/patients/123-45-6789",
            "/patients/123456789",
        ] {
            assert!(super::path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_may_carry_phi_is_refused_in_a_url() {
        for (path, query) in [
            ("/fhir/Patient", "family=Archer"),
            ("/fhir/Patient", "_format=json&birthdate=1970-01-01"),
            ("/fhir/Patient", "%66amily=Archer"),
            ("/fhir/Patient", "_count=10;family=Archer"),
            ("/fhir/Patient", "FAMILY=Archer"),
            ("/fhir", "page=2"),
            ("/patients", "q=Archer"),
            ("/patients", "family=Archer"),
            ("/patients", "page=2&page"),
            ("/patients", "after=123-45-6789"),
            ("/patients", "after=1970-01-01"),
            ("/patients", "after=ann%40example.org"),
            ("/patients", "after=Ann Archer"),
            ("/patients", "page=2&&page=3"),
        ] {
            let refused = super::query(path, Some(query));
            // A parameter without a value is harmless; all else here is not.
            assert_eq!(refused.is_err(), query != "page=2&page", "{path}?{query}");
        }
        let refusal = super::query("/fhir/Patient", Some("family=Archer")).unwrap_err();
        assert!(refusal.detail.contains("_search"));
    }

    #[test]
    fn there_is_one_host_and_it_is_ours() {
        let mut two = get("/", "clinic.example");
        two.headers_mut()
            .append(HOST, HeaderValue::from_static("clinic.example"));
        let none = Request::get("/").body(()).unwrap();
        let other = get("https://other.example/", "clinic.example");
        for request in [two, none, other] {
            assert_eq!(
                check(&request, &origin()).unwrap_err().status,
                StatusCode::BAD_REQUEST
            );
        }
        for host in ["other.example", "localhost:8443", "clinic.example:8443"] {
            let refused = check(&get("/", host), &origin()).unwrap_err();
            assert_eq!(refused.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
        assert_eq!(check(&get("/healthz", "10.0.0.7"), &origin()), Ok(()));
    }

    #[test]
    fn no_tunnel_no_trace_no_other_protocol() {
        for method in ["CONNECT", "TRACE", "OPTIONS", "PROPFIND"] {
            let mut request = get("/", "clinic.example");
            *request.method_mut() = method.parse().unwrap();
            let refused = check(&request, &origin()).unwrap_err();
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
        }
        for name in ["upgrade", "x_forwarded_for", "content_length"] {
            let mut request = get("/", "clinic.example");
            let name: http::HeaderName = name.parse().unwrap();
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static("1"));
            assert!(check(&request, &origin()).is_err());
        }
    }
}
