//! What of a request stands outside its body: the query string and the media types.

use http::{HeaderMap, header};
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use crate::http::openapi::one_of;
use fhir::{Issue, IssueCode, OperationOutcome, ResourceType, Status};

/// The media type of a search form.
const FORM: &str = "application/x-www-form-urlencoded";

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
    match essence(headers, &header::CONTENT_TYPE).as_str() {
        "application/fhir+json" | "application/json" | "text/json" => Ok(()),
        _ => Err(OperationOutcome::unsupported_media_type(
            "application/fhir+json",
        )),
    }
}

/// Asks that the body is a form.
///
/// # Errors
///
/// 415.
pub(crate) fn ask_form(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    match essence(headers, &header::CONTENT_TYPE).as_str() {
        FORM => Ok(()),
        _ => Err(OperationOutcome::unsupported_media_type(FORM)),
    }
}

/// Asks that the client takes JSON.
///
/// # Errors
///
/// 406.
pub(crate) fn ask_accepts_json(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
    let takes = |value: &http::HeaderValue| {
        value.to_str().is_ok_and(|value| {
            value.contains("json") || value.contains("*/*") || value.contains("application/*")
        })
    };
    if accepted.peek().is_none() || accepted.any(takes) {
        return Ok(());
    }
    let issue = Issue::new(
        IssueCode::NotSupported,
        "answers are written as application/fhir+json",
    );
    Err(OperationOutcome::new(Status::NotAcceptable, issue))
}

/// The media type without its parameters, in lower case.
fn essence(headers: &HeaderMap, name: &header::HeaderName) -> String {
    let value = headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
        assert!(ask_json(&with(header::CONTENT_TYPE, "application/fhir+xml")).is_err());
        assert!(ask_json(&HeaderMap::new()).is_err());
        assert!(ask_form(&with(header::CONTENT_TYPE, FORM)).is_ok());
        assert!(ask_form(&with(header::CONTENT_TYPE, "application/json")).is_err());
        assert!(ask_accepts_json(&HeaderMap::new()).is_ok());
        assert!(ask_accepts_json(&with(header::ACCEPT, "application/fhir+json")).is_ok());
        assert!(ask_accepts_json(&with(header::ACCEPT, "text/html, */*;q=0.1")).is_ok());
        assert!(ask_accepts_json(&with(header::ACCEPT, "application/fhir+xml")).is_err());
    }
}
