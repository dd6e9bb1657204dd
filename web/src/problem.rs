use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;
use telemetry::RequestId;

use crate::route;

/// Why web answers a request itself. A fixed text: nothing of the request is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// What is wrong, and what to do instead.
    pub(crate) detail: &'static str,
}

/// How a client wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// FHIR's `OperationOutcome`.
    Outcome,
    /// RFC 9457.
    ProblemJson,
    /// A page for a person.
    Page,
}

impl Manner {
    /// By the path that was asked for; pages for those who accept HTML.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        if route::is_fhir(path) {
            return Self::Outcome;
        }
        let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let wants_page = accepts.is_some_and(|accept| accept.contains("text/html"));
        if wants_page && !path.starts_with("/api/") {
            Self::Page
        } else {
            Self::ProblemJson
        }
    }
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail }
    }

    pub(crate) const fn bad_request(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The answer that says it.
    pub(crate) fn answer(self, manner: Manner, request: RequestId) -> Response<Bytes> {
        let (kind, body) = match manner {
            Manner::Outcome => ("application/fhir+json", self.outcome(request)),
            Manner::ProblemJson => ("application/problem+json", self.problem_json(request)),
            Manner::Page => ("text/html; charset=utf-8", self.page(request)),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            let methods = "GET, HEAD, POST, PUT, PATCH, DELETE";
            headers.insert(ALLOW, HeaderValue::from_static(methods));
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
            405 => "not-supported",
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

    fn page(self, request: RequestId) -> String {
        let (title, detail) = (self.title(), self.detail);
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <h1>{title}</h1><p>{detail}.</p><p>Request {request}</p>\
             <p><a href=\"/\">To the start page</a></p></html>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_in_its_own_manner() {
        let page = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html,*/*"))]);
        assert_eq!(Manner::of("/fhir/Patient", &page), Manner::Outcome);
        assert_eq!(Manner::of("/api/v1/people", &page), Manner::ProblemJson);
        assert_eq!(Manner::of("/patients", &page), Manner::Page);
        assert_eq!(
            Manner::of("/patients", &HeaderMap::new()),
            Manner::ProblemJson
        );
    }

    #[test]
    fn an_outcome_and_a_problem_name_the_request() {
        let request = RequestId::random();
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no app is up");
        for (manner, member) in [(Manner::Outcome, "id"), (Manner::ProblemJson, "request_id")] {
            let answer = problem.answer(manner, request);
            assert_eq!(answer.headers()[RETRY_AFTER], "2");
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body[member], request.to_string());
        }
    }
}
