//! The metrics endpoint, on the loopback interface.

use std::convert::Infallible;
use std::future::Ready;
use std::future::ready;
use std::sync::Arc;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::HOST;
use hyper::body::Incoming;
use listener::Http1;
use listener::Plaintext;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::Metrics;
use crate::config::is_loopback;
use crate::limits::Limits;

/// Maximum open connections: enough for two scrapers and an operator.
const MAX_CONNECTIONS: usize = 16;

/// Serves `GET /metrics` until `shutdown`; without TLS, because the listener is bound to loopback.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let limits = listener::Limits {
        max_connections: MAX_CONNECTIONS,
        ..Limits::default().listener(1)
    };
    let service = service_fn(
        move |request: Request<Incoming>| -> Ready<Result<_, Infallible>> {
            ready(Ok(respond(&metrics, &request)))
        },
    );
    listener::serve(listener, Plaintext, Http1(service), limits, shutdown).await;
}

fn respond<B>(metrics: &Metrics, request: &Request<B>) -> Response<String> {
    // Against DNS rebinding: a web page in a local browser reaches this listener by another name.
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let (status, text) = if !host.is_some_and(is_loopback) {
        (StatusCode::MISDIRECTED_REQUEST, String::new())
    } else if request.uri().path() != "/metrics" {
        (StatusCode::NOT_FOUND, String::new())
    } else if request.method() == Method::GET {
        (StatusCode::OK, metrics.text())
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, String::new())
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_metrics_under_a_loopback_name_is_served() {
        let metrics = Metrics::new([]);
        for (method, host, path, status) in [
            ("GET", "127.0.0.1:9100", "/metrics", StatusCode::OK),
            ("GET", "localhost:9100", "/metrics", StatusCode::OK),
            (
                "GET",
                "evil.example",
                "/metrics",
                StatusCode::MISDIRECTED_REQUEST,
            ),
            ("GET", "127.0.0.1:9100", "/", StatusCode::NOT_FOUND),
            (
                "POST",
                "127.0.0.1:9100",
                "/metrics",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, host);
            let response = respond(&metrics, &request.body(()).unwrap());
            assert_eq!(response.status(), status, "{method} {host}{path}");
            assert_eq!(
                response.body().ends_with("# EOF\n"),
                status == StatusCode::OK
            );
        }
    }
}
