//! `OperationOutcome`: how FHIR says no.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// The media type of every FHIR answer.
pub(crate) const FHIR_JSON: &str = "application/fhir+json";

/// How bad an issue is (`issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The server failed.
    Fatal,
    /// What was asked was refused.
    Error,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
        }
    }
}

/// What sort of issue it is (`issue-type`); only the codes that this server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssueCode {
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
    /// Who is asking is not known.
    Login,
    /// Who is asking may not.
    Forbidden,
    /// The server does not do this.
    NotSupported,
    /// It is there already.
    Duplicate,
    /// It is not there.
    NotFound,
    /// It is too large.
    TooLong,
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
            Self::NotFound => "not-found",
            Self::TooLong => "too-long",
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
pub(crate) struct Issue {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What sort it is.
    pub(crate) code: IssueCode,
    /// Why, as a sentence for a person.
    pub(crate) reason: Cow<'static, str>,
    /// Where, as `FHIRPath`, if it stands in what was sent.
    pub(crate) place: Option<String>,
}

impl Issue {
    /// An error at no particular place.
    pub(crate) fn new(code: IssueCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            reason: reason.into(),
            place: None,
        }
    }

    /// The same at a place.
    pub(crate) fn at(mut self, place: &(impl ToString + ?Sized)) -> Self {
        self.place = Some(place.to_string());
        self
    }

    fn to_json(&self) -> Value {
        let mut issue = json!({
            "severity": self.severity.name(),
            "code": self.code.name(),
            "diagnostics": self.reason,
        });
        if let (Some(place), Some(object)) = (&self.place, issue.as_object_mut()) {
            object.insert("expression".to_owned(), json!([place]));
        }
        issue
    }
}

/// A refusal or a failure: an HTTP status with the issues that explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    status: StatusCode,
    issues: Vec<Issue>,
}

impl Outcome {
    /// An outcome of one issue.
    pub(crate) fn new(status: StatusCode, issue: Issue) -> Self {
        Self::of(status, vec![issue])
    }

    /// An outcome of several issues.
    pub(crate) fn of(status: StatusCode, issues: Vec<Issue>) -> Self {
        Self { status, issues }
    }

    /// 400: what was sent is not what the interaction takes.
    pub(crate) fn bad_request(issues: Vec<Issue>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, issues)
    }

    /// 415: the body is not of a media type that is read here.
    pub(crate) fn unsupported_media_type(expected: &'static str) -> Self {
        let issue = Issue::new(IssueCode::NotSupported, format!("send {expected}"));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, issue)
    }

    /// 500: the server failed; the cause stands in the log under the request's id.
    pub(crate) fn internal(request_id: Uuid) -> Self {
        let reason = format!("the server failed; it is logged under request id {request_id}");
        let issue = Issue {
            severity: Severity::Fatal,
            ..Issue::new(IssueCode::Exception, reason)
        };
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, issue)
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    #[cfg(test)]
    pub(crate) fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The same refusal, said of another place: of an entry of a Bundle, for instance.
    pub(crate) fn at(mut self, place: &str) -> Self {
        for issue in &mut self.issues {
            issue.place.get_or_insert_with(|| place.to_owned());
        }
        self
    }

    /// The `OperationOutcome` resource. It holds nothing that was sent, so it may be serialized.
    pub(crate) fn to_json(&self) -> Value {
        let issues: Vec<Value> = self.issues.iter().map(Issue::to_json).collect();
        json!({ "resourceType": "OperationOutcome", "issue": issues })
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let body = self.to_json().to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response();
        let no_store = HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_written_with_its_place() {
        let issue = Issue::new(IssueCode::Required, "is required").at("Patient.name[0]");
        let outcome = Outcome::bad_request(vec![issue]).to_json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"][0]["severity"], "error");
        assert_eq!(outcome["issue"][0]["code"], "required");
        assert_eq!(outcome["issue"][0]["expression"][0], "Patient.name[0]");
    }

    #[test]
    fn an_answer_is_fhir_json_and_is_not_cached() {
        let response = Outcome::internal(Uuid::from_u128(7)).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], FHIR_JSON);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }

    #[test]
    fn an_entry_s_place_does_not_replace_a_closer_one() {
        let near =
            Issue::new(IssueCode::Value, "is no date").at("Bundle.entry[1].resource.birthDate");
        let far = Issue::new(IssueCode::NotFound, "there is no such patient");
        let outcome = Outcome::bad_request(vec![near, far]).at("Bundle.entry[1]");
        let places: Vec<_> = outcome
            .issues()
            .iter()
            .filter_map(|i| i.place.as_deref())
            .collect();
        assert_eq!(
            places,
            ["Bundle.entry[1].resource.birthDate", "Bundle.entry[1]"]
        );
    }
}
