//! `OperationOutcome`: the issues of a refused or failed request, with its HTTP status.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::limits::MAX_DIAGNOSTICS_BYTES;

mod issues;

pub use issues::Issues;

/// The media type of FHIR responses.
pub const FHIR_JSON: &str = "application/fhir+json";

/// The severity of an issue (`issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The server failed.
    Fatal,
    /// The request was refused.
    Error,
    /// The request succeeded in part.
    Warning,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// The code of an issue (`issue-type`), reduced to those that this server returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueCode {
    /// The JSON or its structure is invalid.
    Structure,
    /// An element is missing.
    Required,
    /// A value is not valid for its type.
    Value,
    /// Elements contradict each other.
    Invariant,
    /// A code is not in its required code set.
    CodeInvalid,
    /// The client is not authenticated.
    Login,
    /// The policy does not permit this.
    Forbidden,
    /// The server does not support this.
    NotSupported,
    /// The resource exists already.
    Duplicate,
    /// A reference matches several resources.
    MultipleMatches,
    /// The resource does not exist.
    NotFound,
    /// The resource was deleted.
    Deleted,
    /// The content is too long.
    TooLong,
    /// The request would use too many resources of the server.
    TooCostly,
    /// A rule of this server forbids it.
    BusinessRule,
    /// The request conflicts with the stored state.
    Conflict,
    /// The failure is temporary.
    Transient,
    /// Not all of the stored data could be read.
    Incomplete,
    /// The server failed.
    Exception,
}

impl IssueCode {
    const fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::CodeInvalid => "code-invalid",
            Self::Login => "login",
            Self::Forbidden => "forbidden",
            Self::NotSupported => "not-supported",
            Self::Duplicate => "duplicate",
            Self::MultipleMatches => "multiple-matches",
            Self::NotFound => "not-found",
            Self::Deleted => "deleted",
            Self::TooLong => "too-long",
            Self::TooCostly => "too-costly",
            Self::BusinessRule => "business-rule",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Incomplete => "incomplete",
            Self::Exception => "exception",
        }
    }
}

/// An issue of an outcome.
///
/// Diagnostics and expression contain no value from the request: diagnostics are fixed sentences of
/// this program, and names that are not element names are redacted from the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The severity.
    pub severity: Severity,
    /// The code.
    pub code: IssueCode,
    /// The reason, for people.
    pub diagnostics: Cow<'static, str>,
    /// The `FHIRPath` of the element concerned, if the issue concerns one.
    pub expression: Option<String>,
}

impl Issue {
    /// An error without an expression.
    pub fn new(code: IssueCode, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            diagnostics: truncated(diagnostics.into()),
            expression: None,
        }
    }

    /// The issue at a path.
    #[must_use]
    pub fn at(mut self, path: &(impl ToString + ?Sized)) -> Self {
        self.expression = Some(path.to_string());
        self
    }

    fn to_json(&self) -> Value {
        let mut issue = json!({
            "severity": self.severity.name(),
            "code": self.code.name(),
            "diagnostics": self.diagnostics,
        });
        if let (Some(expression), Some(object)) = (&self.expression, issue.as_object_mut()) {
            object.insert("expression".to_owned(), json!([expression]));
        }
        issue
    }
}

/// The text, truncated to [`MAX_DIAGNOSTICS_BYTES`].
fn truncated(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= MAX_DIAGNOSTICS_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_DIAGNOSTICS_BYTES);
    let beginning = text.get(..end).unwrap_or_default();
    format!("{beginning} …").into()
}

/// The HTTP status of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 400: the request is malformed.
    BadRequest,
    /// 401: the client is not authenticated.
    Unauthorized,
    /// 403: the policy does not permit this.
    Forbidden,
    /// 404: there is no such resource.
    NotFound,
    /// 405: the address does not support the method.
    MethodNotAllowed,
    /// 406: the client accepts no media type of the response.
    NotAcceptable,
    /// 409: the request conflicts with the stored state.
    Conflict,
    /// 410: the resource was deleted.
    Gone,
    /// 412: the current version is not the one that the request requires.
    PreconditionFailed,
    /// 413: the request or its response is too long.
    ContentTooLarge,
    /// 415: the media type of the body is not supported.
    UnsupportedMediaType,
    /// 422: the resource violates a rule of FHIR or of this server.
    UnprocessableEntity,
    /// 429: too many attempts.
    TooManyRequests,
    /// 500: the server failed.
    InternalServerError,
    /// 501: this server is not configured for it.
    NotImplemented,
    /// 503: a dependency is unavailable.
    ServiceUnavailable,
}

impl Status {
    /// The status code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.parts().0
    }

    /// The status code and its reason phrase.
    const fn parts(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::NotAcceptable => (406, "Not Acceptable"),
            Self::Conflict => (409, "Conflict"),
            Self::Gone => (410, "Gone"),
            Self::PreconditionFailed => (412, "Precondition Failed"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::UnprocessableEntity => (422, "Unprocessable Entity"),
            Self::TooManyRequests => (429, "Too Many Requests"),
            Self::InternalServerError => (500, "Internal Server Error"),
            Self::NotImplemented => (501, "Not Implemented"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
        }
    }
}

/// The form of `Bundle.entry.response.status`: `404 Not Found`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, reason) = self.parts();
        write!(f, "{code} {reason}")
    }
}

/// The outcome of a refused or failed request: an HTTP status and issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome {
    status: Status,
    issues: Issues,
}

impl OperationOutcome {
    /// The outcome of a request that succeeded, with a text for people.
    #[must_use]
    pub fn information(text: &'static str) -> Value {
        json!({
            "resourceType": "OperationOutcome",
            "issue": [{ "severity": "information", "code": "informational", "diagnostics": text }]
        })
    }

    /// An outcome with one or more issues.
    #[must_use]
    pub fn new(status: Status, issues: impl Into<Issues>) -> Self {
        let issues = issues.into();
        Self { status, issues }
    }

    /// 400: the request is malformed.
    #[must_use]
    pub fn bad_request(issues: impl Into<Issues>) -> Self {
        Self::new(Status::BadRequest, issues)
    }

    /// 415: the body must have the media type `expected`.
    #[must_use]
    pub fn unsupported_media_type(expected: &'static str) -> Self {
        let issue = Issue::new(IssueCode::NotSupported, format!("send {expected}"));
        Self::new(Status::UnsupportedMediaType, issue)
    }

    /// 500: the server failed; the log has the cause under the request id.
    #[must_use]
    pub fn internal(request_id: Uuid) -> Self {
        let diagnostics =
            format!("the server failed; the log has the cause under request id {request_id}");
        let issue = Issue {
            severity: Severity::Fatal,
            ..Issue::new(IssueCode::Exception, diagnostics)
        };
        Self::new(Status::InternalServerError, issue)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The listed issues.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        self.issues.listed()
    }

    /// The outcome with this path for issues that have none, such as the path of a Bundle's entry.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        for issue in self.issues.listed_mut() {
            issue.expression.get_or_insert_with(|| path.to_owned());
        }
        self
    }

    /// The `OperationOutcome` resource. It contains no value from the request.
    pub fn to_json(&self) -> Value {
        let remainder = self.issues.remainder();
        let issues = self.issues().iter().chain(&remainder);
        let issues: Vec<Value> = issues.map(Issue::to_json).collect();
        json!({ "resourceType": "OperationOutcome", "issue": issues })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_written_with_its_expression() {
        let issue = Issue::new(IssueCode::Required, "is required").at("Patient.name[0]");
        let outcome = OperationOutcome::bad_request(issue).to_json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"][0]["severity"], "error");
        assert_eq!(outcome["issue"][0]["code"], "required");
        assert_eq!(outcome["issue"][0]["expression"][0], "Patient.name[0]");
    }

    #[test]
    fn an_outcome_does_not_grow_with_its_input() {
        let mut issues = Issues::default();
        for _ in 0..1_000 {
            issues.add(|| Issue::new(IssueCode::CodeInvalid, "é".repeat(10_000)));
        }
        let outcome = OperationOutcome::bad_request(issues).to_json();
        let listed = outcome["issue"].as_array().expect("a list");
        assert_eq!(listed.len(), 51);
        assert!(
            listed[50]["diagnostics"]
                .as_str()
                .is_some_and(|text| text.contains("950 more"))
        );
        assert!(outcome.to_string().len() < 60_000);
    }

    #[test]
    fn an_entry_s_path_does_not_replace_a_more_specific_one() {
        let specific =
            Issue::new(IssueCode::Value, "is no date").at("Bundle.entry[1].resource.birthDate");
        let general = Issue::new(IssueCode::NotFound, "there is no such patient");
        let mut issues = Issues::from(specific);
        issues.append(general.into());
        let outcome = OperationOutcome::bad_request(issues).at("Bundle.entry[1]");
        let paths: Vec<_> = outcome
            .issues()
            .iter()
            .filter_map(|i| i.expression.as_deref())
            .collect();
        assert_eq!(
            paths,
            ["Bundle.entry[1].resource.birthDate", "Bundle.entry[1]"]
        );
    }
}
