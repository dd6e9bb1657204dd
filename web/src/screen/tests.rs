//! Tests of screening with the app's `OpenAPI` document: admitted and refused requests.

mod clients;
mod fuzz;
mod refusals;

use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::header::HOST;

use super::*;

const ID: &str = "8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d";

fn origin() -> Origin {
    "https://clinic.example".parse().unwrap()
}

fn api_schema() -> ApiSchema {
    ApiSchema::of_app().unwrap()
}

/// The head of a request from a line such as `GET /path`.
fn head(line: &str, headers: &[(&str, &str)]) -> Parts {
    let (method, uri) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let host = (HOST, HeaderValue::from_static("clinic.example"));
    request.headers_mut().insert(host.0, host.1);
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
    request.into_parts().0
}

/// Screens a request, which has a body if it has a `content-type`. Returns the route's template.
fn screen(line: &str, headers: &[(&str, &str)]) -> Result<&'static str, Problem> {
    let has_body = headers.iter().any(|(name, _)| *name == "content-type");
    check(&head(line, headers), has_body, &origin(), &api_schema()).map(|(route, _)| route.template)
}
