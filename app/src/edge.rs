//! What surrounds every handler: where the request comes from, its span, and how a problem is told.

use std::net::IpAddr;

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use telemetry::RequestId;
use tracing::Instrument as _;

use crate::caller::Origin;
use crate::fhir::{Issue, IssueCode, Outcome};
use crate::pages;
use crate::problem::Problem;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The forms in which problems are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Surface {
    /// `OperationOutcome`.
    Fhir,
    /// A page.
    Page,
    /// RFC 9457.
    Api,
}

/// Notes where a request comes from, runs it in its span, and writes what went wrong as its surface
/// speaks. The headers read here are the web tier's, whose identity TLS has proved.
pub(crate) async fn edge(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let id = RequestId::from_headers(headers).unwrap_or_else(RequestId::random);
    let source = headers
        .get(X_FORWARDED_FOR)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<IpAddr>().ok());
    let surface = surface(request.uri().path(), headers);
    let get = request.method() == Method::GET;
    let span = tracing::info_span!("request", request_id = %id);
    telemetry::trace::follow(headers, &span);
    request.extensions_mut().insert(Origin {
        request: id,
        source,
    });
    let response = next.run(request).instrument(span).await;
    match problem_of(&response) {
        Some(problem) => told(problem, surface, get, id, response.headers()),
        None => response,
    }
}

fn surface(path: &str, headers: &HeaderMap) -> Surface {
    let accepts_html = || {
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    };
    if path == "/fhir" || path.starts_with("/fhir/") {
        Surface::Fhir
    } else if !path.starts_with("/api/") && accepts_html() {
        Surface::Page
    } else {
        Surface::Api
    }
}

/// The problem that a response stands for: one of ours, or what axum answers by itself.
fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get() {
        return Some(*problem);
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let written = kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        _ if written => None,
        StatusCode::NOT_FOUND => Some(Problem::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Problem::TooLarge),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Problem::UnsupportedMediaType(
            "The body is of another type than is read here.",
        )),
        status if status.is_client_error() => {
            Some(Problem::BadRequest("The request cannot be read."))
        }
        status if status.is_server_error() => Some(Problem::Internal),
        _ => None,
    }
}

fn told(
    problem: Problem,
    surface: Surface,
    get: bool,
    id: RequestId,
    before: &HeaderMap,
) -> Response {
    let mut response = match surface {
        Surface::Page if get && problem == Problem::SignInRequired => {
            Redirect::to("/sign-in").into_response()
        }
        Surface::Page => pages::problem(problem.status(), id).into_response(),
        Surface::Fhir => outcome(problem, id).into_response(),
        Surface::Api => api(problem, id),
    };
    let headers = response.headers_mut();
    if let Some(seconds) = problem.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem == Problem::SignInRequired && surface != Surface::Page {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(allow) = before.get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A problem as FHIR tells it.
pub(crate) fn outcome(problem: Problem, id: RequestId) -> Outcome {
    let code = match problem {
        Problem::SignInRequired => IssueCode::Login,
        Problem::Forbidden => IssueCode::Forbidden,
        Problem::NotFound => IssueCode::NotFound,
        Problem::MethodNotAllowed | Problem::UnsupportedMediaType(_) => IssueCode::NotSupported,
        Problem::BadRequest(_) => IssueCode::Structure,
        Problem::Conflict(_) => IssueCode::Conflict,
        Problem::TooLarge => IssueCode::TooLong,
        Problem::TooManyAttempts(_) | Problem::Unavailable(_) => IssueCode::Transient,
        Problem::Internal => return Outcome::internal(id.uuid()),
    };
    Outcome::new(problem.status(), Issue::new(code, problem.detail()))
}

fn api(problem: Problem, id: RequestId) -> Response {
    let status = problem.status();
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": problem.detail(),
        "request_id": id.to_string(),
    });
    let mut response = (status, Json(body)).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
