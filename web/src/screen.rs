//! Request screening by an allow list: only described requests reach the app.
//!
//! The path, the query, the method and the body's type are compared with the app's `OpenAPI`
//! document, and each forwarded header with the grammar of its field. Then free text is searched
//! for injected code. No part of a refused request is repeated in the response or logged.

pub(crate) mod cookies;
mod headers;
mod host;
mod injection;
mod path;
mod phi_detector;
mod query;
#[cfg(test)]
mod tests;
mod user_agent;
pub(crate) mod validators;

use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use http::request::Parts;

use crate::api_schema::ApiSchema;
use crate::api_schema::Operation;
use crate::api_schema::Route;
use crate::api_schema::RouteKind;
use crate::config::Origin;
use crate::problem::Problem;
use crate::problem::Reason;

/// Checks that a request is well-formed, for this origin, and described by the app's `OpenAPI`
/// document. Returns its route and operation.
///
/// # Errors
/// The problem of the first failed check: 400, 401, 404, 405, 415 or 505.
pub(crate) fn check<'s>(
    head: &Parts,
    has_body: bool,
    origin: &Origin,
    api_schema: &'s ApiSchema,
) -> Result<(&'s Route, &'s Operation), Problem> {
    version(head.version)?;
    let path = head.uri.path();
    let route = api_schema.route(path);
    known_method(&head.method, route)?;
    path::check(path)?;
    let is_health = route.is_some_and(|route| route.kind == RouteKind::Health);
    host::check(head, origin, is_health)?;
    let route = route.ok_or_else(|| path::not_found(path))?;
    let operation = route.operation(&head.method);
    // The query is checked before the method, so that a client that searches by `GET` where only
    // `POST` exists learns that its URL holds PHI, not just that the method is wrong.
    if let Some(described) = operation.or_else(|| route.any_operation()) {
        let refusal = || query_refusal(&head.method, route.kind, path, api_schema);
        query::check(head.uri.query(), described, route.kind, refusal)?;
    }
    let operation = operation.ok_or(method_not_allowed(route.allow))?;
    body(head, has_body, operation)?;
    headers::check(&head.headers)?;
    Ok((route, operation))
}

/// The text of the refusal of a query parameter; it shows the request that is sent instead.
fn query_refusal(
    method: &Method,
    kind: RouteKind,
    path: &str,
    api_schema: &ApiSchema,
) -> &'static str {
    let is_write = matches!(*method, Method::PUT | Method::PATCH | Method::DELETE);
    if kind == RouteKind::Fhir && is_write {
        "a condition must not be in a URL: send the request as an entry of a Bundle to POST [base], with the condition in \
         entry.request.url"
    } else {
        api_schema.query_refusal(kind, path)
    }
}

/// Checks only a request target: a described path with a described query.
pub(crate) fn check_target(uri: &Uri, api_schema: &ApiSchema) -> Result<(), Problem> {
    path::check(uri.path())?;
    let route = api_schema.route(uri.path());
    let route = route.ok_or_else(|| path::not_found(uri.path()))?;
    match route.any_operation() {
        Some(described) => {
            let refusal = || query_refusal(&Method::GET, route.kind, uri.path(), api_schema);
            query::check(uri.query(), described, route.kind, refusal)
        }
        None => Ok(()),
    }
}

fn version(version: Version) -> Result<(), Problem> {
    if matches!(version, Version::HTTP_11 | Version::HTTP_2) {
        return Ok(());
    }
    let detail = "only HTTP/1.1 and HTTP/2 are supported";
    Err(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail))
}

/// The name of a supported method, for logs and metrics; `None` for others, which may be any text.
pub(crate) fn method_name(method: &Method) -> Option<&'static str> {
    Some(match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => return None,
    })
}

/// Refuses unknown methods on every path. A forwarded CONNECT would open a tunnel.
fn known_method(method: &Method, route: Option<&Route>) -> Result<(), Problem> {
    let allow = route.map_or("GET, HEAD, POST, DELETE", |route| route.allow);
    let known = method_name(method).map(drop);
    known.ok_or(method_not_allowed(allow))
}

fn method_not_allowed(allow: &'static str) -> Problem {
    let detail = "this method is not supported here";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_allow(allow)
}

/// Checks that a body is sent only where one is described, and has a described type.
fn body(head: &Parts, has_body: bool, operation: &Operation) -> Result<(), Problem> {
    if !has_body {
        return Ok(());
    }
    if operation.has_body() {
        return operation.media_type(&head.headers);
    }
    Err(
        Problem::bad_request("a body is not allowed with this method")
            .with_reason(Reason::MediaType),
    )
}
