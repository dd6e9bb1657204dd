//! Path screening: normal form, and no PHI.

use http::StatusCode;

use super::phi_detector;
use crate::problem::Problem;
use crate::problem::Reason;

/// Maximum length of a path, in bytes: several times the longest route.
const MAX_BYTES: usize = 512;

/// Checks that a path is in normal form. No route needs a percent sign, a dot segment or an empty
/// segment, so a path with one is ambiguous on purpose.
///
/// # Errors
/// 400; 414 for a path that is too long.
pub(super) fn check(path: &str) -> Result<(), Problem> {
    if path.len() > MAX_BYTES {
        let detail = "the path is too long";
        return Err(Problem::new(StatusCode::URI_TOO_LONG, detail));
    }
    let malformed = Problem::bad_request("the path is not in normal form");
    let segments = path.strip_prefix('/').ok_or(malformed)?;
    // Only the root and one trailing slash have an empty segment.
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    if segments.is_empty() {
        return if path == "/" { Ok(()) } else { Err(malformed) };
    }
    let is_normal =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
    if segments.split('/').all(is_normal) {
        Ok(())
    } else {
        Err(malformed)
    }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$')
}

/// The problem of a path without a route: 404, or 400 with an explanation if a segment looks like
/// PHI, because some clients put record numbers and dates of birth into paths.
pub(super) fn not_found(path: &str) -> Problem {
    if path.split('/').any(phi_detector::looks_like_phi) {
        let detail = "a URL must not contain data that identifies a person";
        return Problem::bad_request(detail).with_reason(Reason::PhiInUrl);
    }
    let detail = if path.starts_with("/fhir/") {
        "there is no such resource: see /fhir/metadata for the supported types; an id is a UUID in \
         lower case"
    } else {
        "there is no such resource"
    };
    Problem::new(StatusCode::NOT_FOUND, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_must_be_in_normal_form() {
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
        ] {
            assert!(check(path).is_err(), "{path}");
        }
        for path in ["/", "/a", "/a/", "/fhir/Patient/$everything", "/a.b/c_d~e"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        assert_eq!(
            check(&format!("/{}", "a".repeat(MAX_BYTES)))
                .unwrap_err()
                .status,
            StatusCode::URI_TOO_LONG
        );
    }

    #[test]
    fn a_path_without_a_route_that_looks_like_phi_is_explained() {
        for path in [
            "/patients/123-45-6789",
            "/patients/123456789",
            "/patients/Archer-1970-01-31",
            "/fhir/Patient/617-555-0182",
        ] {
            assert_eq!(not_found(path).reason, Reason::PhiInUrl, "{path}");
        }
        let not_found = not_found("/fhir/AuditEvent/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d");
        assert_eq!(not_found.status, StatusCode::NOT_FOUND);
    }
}
