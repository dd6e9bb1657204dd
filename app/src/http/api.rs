//! `/api/v1`: the workflow around the clinical records, in JSON. One endpoint per file.

pub(crate) mod audit;
pub(crate) mod openapi;
pub(crate) mod people;
pub(crate) mod session;
pub(crate) mod tokens;

use access::Disclosed;
use axum::Json;

/// A JSON response with what was disclosed.
fn disclosed<T>(value: Disclosed<T>) -> Json<T> {
    Json(value.into_inner())
}
