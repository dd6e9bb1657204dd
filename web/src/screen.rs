//! What may pass: everything else is refused before anything of it reaches the app.
//!
//! First what is known to be good: a request is held against the app's own description, and each
//! header that the app will see against the one form that it has. Only what is text by nature is
//! then searched for what looks like code. Nothing that is refused is repeated or logged.

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

use http::{Method, StatusCode, Uri, Version, request::Parts};

use crate::{
    api_schema::{ApiSchema, Operation, Route, RouteKind},
    config::Origin,
    problem::{Problem, Reason},
};

/// Refuses what is not a well-formed request for this origin and described by the app. Tells which
/// route it is for.
pub(crate) fn check<'s>(
    head: &Parts,
    has_body: bool,
    origin: &Origin,
    api_schema: &'s ApiSchema,
) -> Result<&'s Route, Problem> {
    version(head.version)?;
    let path = head.uri.path();
    let route = api_schema.route(path);
    known_method(&head.method, route)?;
    path::check(path)?;
    let is_health = route.is_some_and(|route| route.kind == RouteKind::Health);
    host::check(head, origin, is_health)?;
    let route = route.ok_or_else(|| path::not_found(path))?;
    let operation = route.operation(&head.method);
    // What a URL must not hold is told also to who asks in the wrong way.
    if let Some(described) = operation.or_else(|| route.any_operation()) {
        query::check(head.uri.query(), described, route.kind)?;
    }
    let operation = operation.ok_or(method_not_allowed(route.allow))?;
    body(head, has_body, operation)?;
    headers::check(&head.headers)?;
    Ok(route)
}

/// Refuses an address under which nothing is, or that holds more than is described.
pub(crate) fn check_target(uri: &Uri, api_schema: &ApiSchema) -> Result<(), Problem> {
    path::check(uri.path())?;
    let route = api_schema.route(uri.path());
    let route = route.ok_or_else(|| path::not_found(uri.path()))?;
    match route.any_operation() {
        Some(described) => query::check(uri.query(), described, route.kind),
        None => Ok(()),
    }
}

fn version(version: Version) -> Result<(), Problem> {
    if matches!(version, Version::HTTP_11 | Version::HTTP_2) {
        return Ok(());
    }
    let detail = "HTTP/1.1 and HTTP/2 are spoken here";
    Err(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail))
}

/// The name of a method that is used here; none of others, which a client may have made up.
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

/// Known methods only, whatever the path. A CONNECT that is handed on would make a tunnel of a
/// proxy.
fn known_method(method: &Method, route: Option<&Route>) -> Result<(), Problem> {
    let allow = route.map_or("GET, HEAD, POST, DELETE", |route| route.allow);
    let known = method_name(method).map(drop);
    known.ok_or(method_not_allowed(allow))
}

fn method_not_allowed(allow: &'static str) -> Problem {
    let detail = "this method is not used here";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_allow(allow)
}

/// A body is of a type that is described, and comes only where one is.
fn body(head: &Parts, has_body: bool, operation: &Operation) -> Result<(), Problem> {
    if !has_body {
        return Ok(());
    }
    if operation.has_body() {
        return operation.media_type(&head.headers);
    }
    Err(Problem::bad_request("this method has no body").with_reason(Reason::MediaType))
}
