//! The local error responses of the edge.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header::ACCEPT;
use http::header::ACCEPT_ENCODING;
use http::header::ALLOW;
use http::header::CONTENT_SECURITY_POLICY;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use http::header::WWW_AUTHENTICATE;
use serde_json::json;
use telemetry::RequestId;

use crate::header_grammar::names_media_type;

mod page;
mod reason;

pub(crate) use reason::Reason;

/// An error response of this tier. Its texts are fixed and repeat no part of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// The cause, and what the client can do.
    pub(crate) detail: &'static str,
    /// The reason in metrics and the access log.
    pub(crate) reason: Reason,
    /// The methods that the route supports, for `Allow`.
    pub(crate) allow: Option<&'static str>,
    /// The supported content codings of a body, for `Accept-Encoding` (RFC 9110, 12.5.3).
    pub(crate) accept_encoding: Option<&'static str>,
}

/// The format of an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// FHIR's `OperationOutcome`.
    OperationOutcome,
    /// `application/problem+json` (RFC 9457).
    ProblemJson,
    /// An HTML page.
    Page,
}

impl ErrorFormat {
    /// The format for a path and `Accept`: a page only for clients that accept `text/html` by name.
    pub(crate) fn negotiate(path: &str, headers: &HeaderMap) -> Self {
        if path == "/fhir" || path.starts_with("/fhir/") {
            return Self::OperationOutcome;
        }
        let mut accepts = headers.get_all(ACCEPT).iter();
        let wants_page = accepts.any(|value| names_media_type(value.as_bytes(), "text/html"));
        if wants_page && !path.starts_with("/api/") {
            Self::Page
        } else {
            Self::ProblemJson
        }
    }
}

impl Problem {
    /// A problem with the default reason of its status.
    pub(crate) const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self {
            status,
            detail,
            reason: Reason::of_status(status),
            allow: None,
            accept_encoding: None,
        }
    }

    /// Sets another reason than the status's default.
    pub(crate) const fn with_reason(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// Sets the methods that the route supports.
    pub(crate) const fn with_allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Sets the supported content codings of a body.
    pub(crate) const fn with_accept_encoding(mut self, codings: &'static str) -> Self {
        self.accept_encoding = Some(codings);
        self
    }

    /// Whether the connection must be closed: after a malformed request, client and server may
    /// disagree on where the next one begins.
    pub(crate) const fn closes_connection(self) -> bool {
        matches!(self.reason, Reason::Malformed | Reason::Host)
    }

    pub(crate) const fn bad_request(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The response in a format, with the request id in its body.
    pub(crate) fn to_response(self, format: ErrorFormat, request: RequestId) -> Response<Bytes> {
        let (kind, body) = match format {
            ErrorFormat::OperationOutcome => ("application/fhir+json", self.outcome(request)),
            ErrorFormat::ProblemJson => ("application/problem+json", self.problem_json(request)),
            ErrorFormat::Page => (
                "text/html; charset=utf-8",
                page::render(self.status, self.detail, request),
            ),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if format == ErrorFormat::Page {
            let policy = HeaderValue::from_static(page::POLICY);
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(codings) = self.accept_encoding {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    fn title(self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn outcome(self, request: RequestId) -> String {
        let code = match self.status.as_u16() {
            401 => "login",
            403 => "forbidden",
            404 => "not-found",
            405 | 406 | 415 => "not-supported",
            429 => "throttled",
            413 | 414 | 431 => "too-long",
            502 | 503 => "transient",
            504 | 408 => "timeout",
            400..=499 => "invalid",
            _ => "exception",
        };
        json!({
            "resourceType": "OperationOutcome",
            "id": request.to_string(),
            "issue": [{
                "severity": "error",
                "code": code,
                "details": {"text": self.title()},
                "diagnostics": self.detail,
            }],
        })
        .to_string()
    }

    fn problem_json(self, request: RequestId) -> String {
        json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "request_id": request.to_string(),
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_format_of_the_path_and_of_accept() {
        let page = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html,*/*"))]);
        assert_eq!(
            ErrorFormat::negotiate("/fhir/Patient", &page),
            ErrorFormat::OperationOutcome
        );
        assert_eq!(
            ErrorFormat::negotiate("/api/v1/people", &page),
            ErrorFormat::ProblemJson
        );
        assert_eq!(
            ErrorFormat::negotiate("/patients", &page),
            ErrorFormat::Page
        );
        assert_eq!(
            ErrorFormat::negotiate("/patients", &HeaderMap::new()),
            ErrorFormat::ProblemJson
        );
    }

    #[test]
    fn a_page_is_only_for_clients_that_accept_html_by_name() {
        for (accept, format) in [
            ("TEXT/HTML;q=0.9, */*", ErrorFormat::Page),
            ("text/html;q=0, */*", ErrorFormat::ProblemJson),
            (
                "application/json; x=\"text/html\"",
                ErrorFormat::ProblemJson,
            ),
            ("text/html-sandboxed", ErrorFormat::ProblemJson),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(
                ErrorFormat::negotiate("/patients", &headers),
                format,
                "{accept}"
            );
        }
    }

    #[test]
    fn an_outcome_and_a_problem_name_the_request() {
        let request = RequestId::random();
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no upstream is up");
        for (format, member) in [
            (ErrorFormat::OperationOutcome, "id"),
            (ErrorFormat::ProblemJson, "request_id"),
        ] {
            let response = problem.to_response(format, request);
            assert_eq!(response.headers()[RETRY_AFTER], "2");
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body[member], request.to_string());
        }
    }
}
