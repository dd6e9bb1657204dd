//! `OperationOutcome`: the issues of a refused or failed request, and its status.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::limits::MAX_DIAGNOSTICS_BYTES;

mod issues;

pub use issues::Issues;

/// The media type of every FHIR answer.
pub const FHIR_JSON: &str = "application/fhir+json";

/// How bad an issue is (`issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The server failed.
    Fatal,
    /// The request was refused.
    Error,
    /// The request was done, in part.
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

/// What sort of issue it is (`issue-type`); only the codes that this server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueCode {
    /// The JSON or its shape is wrong.
    Structure,
    /// An element is missing.
    Required,
    /// A value is not of its type.
    Value,
    /// Elements contradict each other.
    Invariant,
    /// A code is not in its required code set.
    CodeInvalid,
    /// The client is not authenticated.
    Login,
    /// The caller may not do this.
    Forbidden,
    /// The server does not support this.
    NotSupported,
    /// It exists already.
    Duplicate,
    /// More than one resource is meant.
    MultipleMatches,
    /// It does not exist.
    NotFound,
    /// It is too large.
    TooLong,
    /// It would cost the server too much.
    TooCostly,
    /// A rule of this server forbids it.
    BusinessRule,
    /// It was changed in between.
    Conflict,
    /// It may work later.
    Transient,
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
            Self::TooLong => "too-long",
            Self::TooCostly => "too-costly",
            Self::BusinessRule => "business-rule",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Exception => "exception",
        }
    }
}

/// One thing that is wrong: a reason, and the place where it stands.
///
/// Neither ever holds a value that was sent: reasons are sentences of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What sort it is.
    pub code: IssueCode,
    /// Why, as a sentence for a person.
    pub diagnostics: Cow<'static, str>,
    /// Where, as `FHIRPath`, if it stands in what was sent.
    pub expression: Option<String>,
}

impl Issue {
    /// An error at no particular place.
    pub fn new(code: IssueCode, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            diagnostics: shortened(diagnostics.into()),
            expression: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: &(impl ToString + ?Sized)) -> Self {
        self.expression = Some(place.to_string());
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

/// A text of at most [`MAX_DIAGNOSTICS_BYTES`].
fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= MAX_DIAGNOSTICS_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_DIAGNOSTICS_BYTES);
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept} …").into()
}

/// The HTTP status of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 400: the request is malformed.
    BadRequest,
    /// 401: the client is not authenticated.
    Unauthorized,
    /// 403: the caller may not do this.
    Forbidden,
    /// 404: there is no such resource.
    NotFound,
    /// 405: the address does not support the method.
    MethodNotAllowed,
    /// 406: no media type that the client accepts can be written.
    NotAcceptable,
    /// 409: the request contradicts what is stored.
    Conflict,
    /// 412: the resource is not in the version that the request demands.
    PreconditionFailed,
    /// 413: the request, or what it asks for, is too long.
    ContentTooLarge,
    /// 415: the body's media type is not read.
    UnsupportedMediaType,
    /// 422: the resource breaks a rule of FHIR or of this server.
    UnprocessableEntity,
    /// 429: too many attempts.
    TooManyRequests,
    /// 500: the server failed.
    InternalServerError,
    /// 503: a dependency is unavailable.
    ServiceUnavailable,
}

impl Status {
    /// The status code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.parts().0
    }

    /// The code and its reason phrase, and what `Bundle.entry.response.status` begins with.
    const fn parts(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::NotAcceptable => (406, "Not Acceptable"),
            Self::Conflict => (409, "Conflict"),
            Self::PreconditionFailed => (412, "Precondition Failed"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::UnprocessableEntity => (422, "Unprocessable Entity"),
            Self::TooManyRequests => (429, "Too Many Requests"),
            Self::InternalServerError => (500, "Internal Server Error"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, reason) = self.parts();
        write!(f, "{code} {reason}")
    }
}

/// A refusal or a failure: an HTTP status with the issues that explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome {
    status: Status,
    issues: Issues,
}

impl OperationOutcome {
    /// An outcome of one issue or several.
    #[must_use]
    pub fn new(status: Status, issues: impl Into<Issues>) -> Self {
        let issues = issues.into();
        Self { status, issues }
    }

    /// 400: what was sent is not what the interaction takes.
    #[must_use]
    pub fn bad_request(issues: impl Into<Issues>) -> Self {
        Self::new(Status::BadRequest, issues)
    }

    /// 415: the body is not of a media type that is read here.
    #[must_use]
    pub fn unsupported_media_type(expected: &'static str) -> Self {
        let issue = Issue::new(IssueCode::NotSupported, format!("send {expected}"));
        Self::new(Status::UnsupportedMediaType, issue)
    }

    /// 500: the server failed; the cause stands in the log under the request's id.
    #[must_use]
    pub fn internal(request_id: Uuid) -> Self {
        let reason = format!("the server failed; it is logged under request id {request_id}");
        let issue = Issue {
            severity: Severity::Fatal,
            ..Issue::new(IssueCode::Exception, reason)
        };
        Self::new(Status::InternalServerError, issue)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// What is wrong, as far as it is listed.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        self.issues.listed()
    }

    /// The same refusal, said of another place: of an entry of a Bundle, for instance.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        for issue in self.issues.listed_mut() {
            issue.expression.get_or_insert_with(|| place.to_owned());
        }
        self
    }

    /// The `OperationOutcome` resource. It holds nothing that was sent, so it may be serialized.
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
    fn an_issue_is_written_with_its_place() {
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
    fn an_entry_s_place_does_not_replace_a_closer_one() {
        let near =
            Issue::new(IssueCode::Value, "is no date").at("Bundle.entry[1].resource.birthDate");
        let far = Issue::new(IssueCode::NotFound, "there is no such patient");
        let mut issues = Issues::from(near);
        issues.append(far.into());
        let outcome = OperationOutcome::bad_request(issues).at("Bundle.entry[1]");
        let places: Vec<_> = outcome
            .issues()
            .iter()
            .filter_map(|i| i.expression.as_deref())
            .collect();
        assert_eq!(
            places,
            ["Bundle.entry[1].resource.birthDate", "Bundle.entry[1]"]
        );
    }
}
