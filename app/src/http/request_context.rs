//! The context of a request: its origin, its span, its deadline, and the format of errors.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use telemetry::RequestId;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::http::fhir::outcome_response;
use crate::http::kept_form::SealedForm;
use crate::http::negotiation::accepts_html;
use crate::http::openapi::ProblemDetails;
use crate::http::pages;
use crate::http::problem::Problem;
use crate::http::problem::outcome;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use access::RequestOrigin;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The time for which the web tier waits for the response, in milliseconds.
const X_REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// The format of an error response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ErrorFormat {
    /// `OperationOutcome`.
    Outcome,
    Page,
    /// RFC 9457 `problem+json`.
    ProblemJson,
}

/// Middleware that adds the [`RequestOrigin`], runs the request in its span and within the client's
/// deadline, and renders problems. The headers read here are trusted: mutual TLS admits the web tier only.
pub(crate) async fn request_context(
    State(pages): State<ReturnPaths>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let id = RequestId::from_headers(headers).unwrap_or_else(RequestId::random);
    let source = headers
        .get(X_FORWARDED_FOR)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<IpAddr>().ok());
    let deadline = client_deadline(headers);
    let path = request.uri().path();
    let refused = RefusedRequest {
        format: error_format(path, headers),
        is_get: request.method() == Method::GET,
        next: pages.parse(path),
        id,
    };
    let span = tracing::info_span!("request", request_id = %id);
    telemetry::trace::set_parent(headers, &span);
    request.extensions_mut().insert(RequestOrigin {
        request: id.uuid(),
        source,
    });
    request.extensions_mut().insert(pages);
    let handled = async {
        match deadline {
            Some(deadline) => timeout(deadline, next.run(request))
                .await
                .unwrap_or_else(|elapsed| Problem::unavailable(elapsed).into_response()),
            None => next.run(request).await,
        }
    };
    let response = handled.instrument(span).await;
    match problem_of(&response) {
        Some(problem) => render(problem, &refused, &response),
        None => response,
    }
}

/// The time for which the client waits for the response. Afterwards the handler is dropped, as it is when
/// the client disconnects: a transaction that is not committed by then is rolled back.
fn client_deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(X_REQUEST_TIMEOUT_MS)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_millis)
}

fn error_format(path: &str, headers: &HeaderMap) -> ErrorFormat {
    if path == "/fhir" || path.starts_with("/fhir/") {
        ErrorFormat::Outcome
    } else if !["/api/", "/oauth/", "/.well-known/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
        && accepts_html(headers)
    {
        ErrorFormat::Page
    } else {
        ErrorFormat::ProblemJson
    }
}

/// The problem of a response: the handler's, or the equivalent of an error response of axum.
fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get() {
        return Some(*problem);
    }
    // axum's own error responses are plain text.
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let is_final = media_type.is_some_and(|it| !it.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        _ if is_final => None,
        StatusCode::NOT_FOUND => Some(Problem::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Problem::TooLarge),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Problem::UnsupportedMediaType(
            "The media type of the body is not supported here.",
        )),
        status if status.is_client_error() => {
            Some(Problem::BadRequest("The request cannot be read."))
        }
        status if status.is_server_error() => Some(Problem::Internal),
        _ => None,
    }
}

/// What the response to a problem depends on beside the problem.
struct RefusedRequest {
    format: ErrorFormat,
    is_get: bool,
    /// The page that was requested, to which the person returns after signing in.
    next: Option<ReturnPath>,
    id: RequestId,
}

/// The response to a problem; `original` is the response that it replaces.
fn render(problem: Problem, refused: &RefusedRequest, original: &Response) -> Response {
    let RefusedRequest {
        format,
        is_get,
        next,
        id,
    } = refused;
    let (format, id) = (*format, *id);
    // Only for GET: a redirected form would lose its fields without a message.
    let sign_in = if !is_get {
        None
    } else if problem == Problem::SignInRequired {
        Some("/sign-in")
    } else if problem == Problem::SecondFactorRequired {
        Some("/second-factor")
    } else if problem == Problem::StepUpRequired {
        Some("/step-up")
    } else {
        None
    };
    let mut response = match format {
        ErrorFormat::Page => match (original.extensions().get::<SealedForm>(), sign_in) {
            (Some(kept), _) => pages::sign_in_keeping(kept.clone()).into_response(),
            (None, Some(path)) => {
                Redirect::to(&ReturnPath::appended_to(path, next.as_ref())).into_response()
            }
            (None, None) => pages::problem(problem, id).into_response(),
        },
        ErrorFormat::Outcome => outcome_response(&outcome(problem, id.uuid())),
        ErrorFormat::ProblemJson => problem_json(problem, id),
    };
    let headers = response.headers_mut();
    if let Some(seconds) = problem.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // RFC 9110, 15.5.2, requires it for 401. Pages authenticate by form instead.
    if problem == Problem::SignInRequired && format != ErrorFormat::Page {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if problem == Problem::InsufficientScope {
        let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    // RFC 9110, 15.5.6, requires it for 405; axum has set it.
    if let Some(allow) = original.headers().get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn problem_json(problem: Problem, id: RequestId) -> Response {
    let status = problem.status();
    let body = ProblemDetails {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: problem.detail().to_string(),
        request_id: id.uuid(),
    };
    let mut response = (status, Json(body)).into_response();
    let media_type = HeaderValue::from_static("application/problem+json");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_handler_is_dropped_at_the_client_s_deadline() {
        let running = Arc::new(());
        let held = Arc::clone(&running);
        let endless = move || {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
            }
        };
        let router = Router::new()
            .route("/", get(endless))
            .layer(from_fn_with_state(ReturnPaths::default(), request_context));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let before = Arc::strong_count(&running);
        let request =
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-request-timeout-ms: 50\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("application/problem+json"), "{response}");
        assert_eq!(Arc::strong_count(&running), before);
    }
}
