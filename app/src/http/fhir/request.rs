//! Paths, media types and content negotiation of FHIR requests.

use http::HeaderMap;
use mediatype::MediaType;
use mediatype::Name;
use mediatype::names;

use crate::http::negotiation;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResourceType;
use fhir::Status;
use fhir::UnknownResourceType;
use fhir::parse_id;

const FORM: MediaType<'static> = MediaType::new(
    names::APPLICATION,
    Name::new_unchecked("x-www-form-urlencoded"),
);

/// The media type of a JSON Patch (RFC 6902).
const JSON_PATCH: MediaType<'static> = MediaType::from_parts(
    names::APPLICATION,
    Name::new_unchecked("json-patch"),
    Some(names::JSON),
    &[],
);

const FHIR: Name<'static> = Name::new_unchecked("fhir");

/// The media types of FHIR's JSON (R4, 2.1.0.6 and 3.1.1.3), R4's own first; the last is DSTU 2's.
const JSON: [MediaType<'static>; 4] = [
    MediaType::from_parts(names::APPLICATION, FHIR, Some(names::JSON), &[]),
    MediaType::new(names::APPLICATION, names::JSON),
    MediaType::new(names::TEXT, names::JSON),
    MediaType::from_parts(names::APPLICATION, names::JSON, Some(FHIR), &[]),
];

/// The resource type in a path.
///
/// # Errors
///
/// 404 for a type that is not supported; the outcome lists those that are.
pub(crate) fn resource_type(name: &str) -> Result<ResourceType, OperationOutcome> {
    name.parse().map_err(|unknown: UnknownResourceType| {
        OperationOutcome::new(Status::NotFound, Issue::from(unknown))
    })
}

/// The reference in a path. An unsupported type or a malformed id is not found, and the outcome says why.
///
/// # Errors
///
/// 404.
pub(crate) fn reference(name: &str, id: &str) -> Result<Reference, OperationOutcome> {
    let resource_type = resource_type(name)?;
    let id = parse_id(id).map_err(|issue| OperationOutcome::new(Status::NotFound, issue))?;
    Ok(Reference { resource_type, id })
}

/// Requires a JSON Patch as body.
///
/// # Errors
///
/// 415.
pub(crate) fn require_patch_body(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let sent = negotiation::content_type(headers);
    if sent.is_some_and(|sent| sent.essence() == JSON_PATCH) {
        return Ok(());
    }
    Err(OperationOutcome::unsupported_media_type(
        "application/json-patch+json",
    ))
}

/// Requires a JSON body.
///
/// # Errors
///
/// 415.
pub(crate) fn require_json_body(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let sent = negotiation::content_type(headers);
    if sent.is_some_and(|sent| JSON.iter().any(|known| *known == sent.essence())) {
        return Ok(());
    }
    Err(OperationOutcome::unsupported_media_type(
        "application/fhir+json",
    ))
}

/// Requires a form as body.
///
/// # Errors
///
/// 415.
pub(crate) fn require_form_body(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let sent = negotiation::content_type(headers);
    if sent.is_some_and(|sent| sent.essence() == FORM) {
        return Ok(());
    }
    Err(OperationOutcome::unsupported_media_type(
        "application/x-www-form-urlencoded",
    ))
}

/// Requires that the client accepts JSON.
///
/// # Errors
///
/// 406.
pub(crate) fn require_json_accepted(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    if negotiation::accepts_any_of(headers, &JSON) {
        return Ok(());
    }
    let issue = Issue::new(
        IssueCode::NotSupported,
        "responses are in application/fhir+json only",
    );
    Err(OperationOutcome::new(Status::NotAcceptable, issue))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header;

    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn an_unsupported_type_and_a_malformed_id_are_not_found_and_not_repeated() {
        for (name, id) in [
            ("Parameters", "c757873d-ec9a-4326-a141-556f43239520"),
            ("Patient", "M-123"),
        ] {
            let outcome = reference(name, id).expect_err("not found");
            assert_eq!(outcome.status(), Status::NotFound);
            assert!(!outcome.to_json().to_string().contains(id));
        }
    }

    #[test]
    fn media_types_are_required() {
        assert!(
            require_json_body(&with(
                header::CONTENT_TYPE,
                "application/fhir+json; charset=utf-8"
            ))
            .is_ok()
        );
        for sent in [
            "APPLICATION/FHIR+JSON",
            "application/json; charset=\"utf-8\"",
            "text/json;",
        ] {
            let result = require_json_body(&with(header::CONTENT_TYPE, sent));
            assert!(result.is_ok(), "{sent}");
        }
        for sent in ["application/fhir+xml", "application/jsonx", "", "json"] {
            let result = require_json_body(&with(header::CONTENT_TYPE, sent));
            assert!(result.is_err(), "{sent}");
        }
        assert!(require_json_body(&HeaderMap::new()).is_err());
        let form = "application/x-www-form-urlencoded";
        assert!(require_form_body(&with(header::CONTENT_TYPE, form)).is_ok());
        let form = "Application/X-WWW-Form-URLEncoded; charset=UTF-8";
        assert!(require_form_body(&with(header::CONTENT_TYPE, form)).is_ok());
        assert!(require_form_body(&with(header::CONTENT_TYPE, "application/json")).is_err());
        assert!(require_json_accepted(&HeaderMap::new()).is_ok());
        for name in [
            "application/fhir+json",
            "Application/JSON",
            "text/json",
            "application/json+fhir",
        ] {
            let accepted = require_json_accepted(&with(header::ACCEPT, name));
            assert!(accepted.is_ok(), "{name}");
        }
        assert!(require_json_accepted(&with(header::ACCEPT, "text/html, */*;q=0.1")).is_ok());
        assert!(require_json_accepted(&with(header::ACCEPT, "application/fhir+xml")).is_err());
    }
}
