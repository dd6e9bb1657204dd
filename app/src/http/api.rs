//! `/api/v1`: JSON endpoints for tokens, people, access to charts and the audit trail, one per file.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod care_team;
pub(crate) mod clients;
pub(crate) mod emergency_access;
pub(crate) mod emergency_accesses;
pub(crate) mod openapi;
pub(crate) mod organization;
pub(crate) mod people;
pub(crate) mod session;
pub(crate) mod tokens;

use access::Disclosed;
use axum::Json;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Serialize;

/// A JSON response with a disclosed value.
fn disclosed<T>(value: Disclosed<T>) -> Json<T> {
    Json(value.into_inner())
}

/// 204, after a change is recorded.
fn no_content(recorded: Disclosed<()>) -> StatusCode {
    recorded.map(|()| StatusCode::NO_CONTENT).into_inner()
}

/// A JSON response with a secret that is returned once only, which no cache keeps.
fn shown_once<T: Serialize>(status: StatusCode, value: T) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, no_store, Json(value)).into_response()
}
