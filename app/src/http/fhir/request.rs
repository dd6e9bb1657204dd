//! Query string and content negotiation.

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

/// The media type of a search form.
const FORM: MediaType<'static> = MediaType::new(
    names::APPLICATION,
    Name::new_unchecked("x-www-form-urlencoded"),
);

const FHIR: Name<'static> = Name::new_unchecked("fhir");

/// The names of FHIR's JSON (R4, 2.1.0.6 and 3.1.1.3), the right one first; the last is DSTU 2's.
const JSON: [MediaType<'static>; 4] = [
    MediaType::from_parts(names::APPLICATION, FHIR, Some(names::JSON), &[]),
    MediaType::new(names::APPLICATION, names::JSON),
    MediaType::new(names::TEXT, names::JSON),
    MediaType::from_parts(names::APPLICATION, names::JSON, Some(FHIR), &[]),
];

/// Parameters of every FHIR address; they say how a response is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "a description: `screen_query` reads the query string"
)]
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
#[expect(dead_code, reason = "a description: handlers read the path as text")]
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

/// Refuses what a FHIR address takes in no query string. What is searched for is sent in a body:
/// addresses end in logs, histories and referrers (45 CFR 164.312(a)(1)).
///
/// # Errors
///
/// 400, without repeating what the query string holds.
pub(crate) fn screen_query(query: Option<&str>) -> Result<(), OperationOutcome> {
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let issue = match (name.as_ref(), value.as_ref()) {
            ("_pretty" | "_count", _) | ("_summary", "false") => continue,
            ("_format", value) if value.contains("json") => continue,
            ("_format", _) => Issue::new(IssueCode::NotSupported, "only JSON is written here"),
            ("_summary" | "_elements", _) => {
                let why = "resources are sent whole: _summary and _elements are not supported";
                Issue::new(IssueCode::NotSupported, why)
            }
            _ => {
                let why = "nothing that tells of a person stands in a URL: send search parameters as \
                           a form, with POST to /fhir/Patient/_search";
                Issue::new(IssueCode::NotSupported, why)
            }
        };
        return Err(OperationOutcome::bad_request(issue));
    }
    Ok(())
}

/// Asks that the body is JSON.
///
/// # Errors
///
/// 415.
pub(crate) fn ask_json(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let sent = negotiation::content_type(headers);
    if sent.is_some_and(|sent| JSON.iter().any(|known| *known == sent.essence())) {
        return Ok(());
    }
    Err(OperationOutcome::unsupported_media_type(
        "application/fhir+json",
    ))
}

/// Asks that the body is a form.
///
/// # Errors
///
/// 415.
pub(crate) fn ask_form(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let sent = negotiation::content_type(headers);
    if sent.is_some_and(|sent| sent.essence() == FORM) {
        return Ok(());
    }
    Err(OperationOutcome::unsupported_media_type(
        "application/x-www-form-urlencoded",
    ))
}

/// Asks that the client takes JSON.
///
/// # Errors
///
/// 406.
pub(crate) fn ask_accepts_json(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    if negotiation::accepts_any_of(headers, &JSON) {
        return Ok(());
    }
    let issue = Issue::new(
        IssueCode::NotSupported,
        "answers are written as application/fhir+json",
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
            let told = outcome.to_json().to_string();
            assert!(told.contains("_search") && !told.contains("Smith") && !told.contains("999"));
        }
        assert!(screen_query(None).is_ok());
        assert!(screen_query(Some("_format=json&_pretty=true&_count=7&_summary=false")).is_ok());
        assert!(screen_query(Some("_format=xml")).is_err());
        assert!(screen_query(Some("_elements=name")).is_err());
    }

    #[test]
    fn media_types_are_asked_for() {
        assert!(
            ask_json(&with(
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
            let told = ask_json(&with(header::CONTENT_TYPE, sent));
            assert!(told.is_ok(), "{sent}");
        }
        for sent in ["application/fhir+xml", "application/jsonx", "", "json"] {
            let told = ask_json(&with(header::CONTENT_TYPE, sent));
            assert!(told.is_err(), "{sent}");
        }
        assert!(ask_json(&HeaderMap::new()).is_err());
        let form = "application/x-www-form-urlencoded";
        assert!(ask_form(&with(header::CONTENT_TYPE, form)).is_ok());
        let form = "Application/X-WWW-Form-URLEncoded; charset=UTF-8";
        assert!(ask_form(&with(header::CONTENT_TYPE, form)).is_ok());
        assert!(ask_form(&with(header::CONTENT_TYPE, "application/json")).is_err());
        assert!(ask_accepts_json(&HeaderMap::new()).is_ok());
        for name in [
            "application/fhir+json",
            "Application/JSON",
            "text/json",
            "application/json+fhir",
        ] {
            let accepted = ask_accepts_json(&with(header::ACCEPT, name));
            assert!(accepted.is_ok(), "{name}");
        }
        assert!(ask_accepts_json(&with(header::ACCEPT, "text/html, */*;q=0.1")).is_ok());
        assert!(ask_accepts_json(&with(header::ACCEPT, "application/fhir+xml")).is_err());
    }
}
