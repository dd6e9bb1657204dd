//! The plaintext listener, which only redirects to HTTPS.

use std::sync::Arc;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONNECTION;
use http::header::LOCATION;

use crate::api_schema::ApiSchema;
use crate::config::Origin;
use crate::screen;

/// The service of the plaintext listener.
#[derive(Clone)]
pub(crate) struct Redirect {
    pub(crate) origin: Origin,
    pub(crate) api_schema: Arc<ApiSchema>,
}

impl Redirect {
    /// The response to any request.
    pub(crate) fn respond<B>(&self, request: &Request<B>) -> Response<String> {
        respond(&self.origin, &self.api_schema, request)
    }
}

/// Redirects a plaintext request to HTTPS. A request with a method other than `GET` and `HEAD` is
/// refused instead: its body was exposed on the network, and the client must learn of that.
fn respond<B>(origin: &Origin, api_schema: &ApiSchema, request: &Request<B>) -> Response<String> {
    let mut response = Response::new(String::new());
    let uri = request.uri();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::FORBIDDEN;
        "use HTTPS\n".clone_into(response.body_mut());
    } else if let Err(problem) = screen::check_target(uri, api_schema) {
        *response.status_mut() = problem.status;
    } else {
        let rest = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        if let Ok(location) = HeaderValue::try_from(format!("https://{}{rest}", origin.authority()))
        {
            response.headers_mut().insert(LOCATION, location);
        }
    }
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(method: Method, uri: &str) -> Response<String> {
        let origin = "https://clinic.example".parse().unwrap();
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        respond(&origin, &ApiSchema::of_app().unwrap(), &request)
    }

    #[test]
    fn a_request_is_redirected_to_the_configured_origin() {
        for uri in ["/patients?page=2", "http://evil.example/patients?page=2"] {
            let response = redirected(Method::GET, uri);
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
            assert_eq!(
                response.headers()[LOCATION],
                "https://clinic.example/patients?page=2"
            );
        }
    }

    #[test]
    fn a_request_with_a_body_or_an_undescribed_target_is_not_redirected() {
        assert_eq!(
            redirected(Method::POST, "/sign-in").status(),
            StatusCode::FORBIDDEN
        );
        for uri in ["/fhir/Patient?family=Archer", "//evil.example", "/a/../b"] {
            let response = redirected(Method::GET, uri);
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri}");
            assert!(!response.headers().contains_key(LOCATION));
        }
    }
}
