//! Query string, media types and content negotiation of FHIR requests.

use http::HeaderMap;
use mediatype::MediaType;
use mediatype::Name;
use mediatype::names;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use crate::http::negotiation;
use crate::http::openapi::one_of;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::ResourceType;
use fhir::Status;

const FORM: MediaType<'static> = MediaType::new(
    names::APPLICATION,
    Name::new_unchecked("x-www-form-urlencoded"),
);

const FHIR: Name<'static> = Name::new_unchecked("fhir");

/// The media types of FHIR's JSON (R4, 2.1.0.6 and 3.1.1.3), R4's own first; the last is DSTU 2's.
const JSON: [MediaType<'static>; 4] = [
    MediaType::from_parts(names::APPLICATION, FHIR, Some(names::JSON), &[]),
    MediaType::new(names::APPLICATION, names::JSON),
    MediaType::new(names::TEXT, names::JSON),
    MediaType::from_parts(names::APPLICATION, names::JSON, Some(FHIR), &[]),
];

/// The query parameters of all FHIR routes, which concern the format of the response.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `screen_query` reads the query string")]
pub(crate) struct FormatQuery {
    #[param(rename = "_format", required = false, schema_with = formats)]
    format: String,
    #[param(rename = "_pretty", required = false)]
    pretty: bool,
    #[param(rename = "_summary", required = false, schema_with = unsummarized)]
    summary: String,
}

/// The resource type in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct TypePath {
    #[param(rename = "type", schema_with = types)]
    resource_type: String,
}

fn formats() -> Object {
    one_of([
        "json",
        "application/fhir+json",
        "application/json",
        "text/json",
    ])
}

fn unsummarized() -> Object {
    one_of(["false"])
}

fn types() -> Object {
    one_of(ResourceType::ALL.map(ResourceType::name))
}

/// Refuses unsupported query parameters. Search parameters must be sent in a body, because URLs are stored
/// in logs, browser histories and referrers (45 CFR 164.312(a)(1)).
///
/// # Errors
///
/// 400, without a value of the query string.
pub(crate) fn screen_query(query: Option<&str>) -> Result<(), OperationOutcome> {
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let issue = match (name.as_ref(), value.as_ref()) {
            ("_pretty" | "_count", _) | ("_summary", "false") => continue,
            ("_format", value) if value.contains("json") => continue,
            ("_format", _) => Issue::new(IssueCode::NotSupported, "responses are in JSON only"),
            ("_summary" | "_elements", _) => {
                let why = "resources are sent completely: _summary and _elements are not supported";
                Issue::new(IssueCode::NotSupported, why)
            }
            _ => {
                let why = "URLs must not contain identifying values: send search parameters as a form, \
                           with POST to /fhir/Patient/_search";
                Issue::new(IssueCode::NotSupported, why)
            }
        };
        return Err(OperationOutcome::bad_request(issue));
    }
    Ok(())
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
    fn a_search_in_a_url_is_refused_and_not_repeated() {
        for query in ["name=Smith", "identifier=999-12-3456", "_id=1", "Smith"] {
            let outcome = screen_query(Some(query)).expect_err(query);
            let json = outcome.to_json().to_string();
            assert!(json.contains("_search") && !json.contains("Smith") && !json.contains("999"));
        }
        assert!(screen_query(None).is_ok());
        assert!(screen_query(Some("_format=json&_pretty=true&_count=7&_summary=false")).is_ok());
        assert!(screen_query(Some("_format=xml")).is_err());
        assert!(screen_query(Some("_elements=name")).is_err());
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
