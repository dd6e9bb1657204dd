//! `/api/v1`: JSON endpoints for tokens, people and the audit trail, one per file.

pub(crate) mod audit;
pub(crate) mod openapi;
pub(crate) mod people;
pub(crate) mod session;
pub(crate) mod tokens;

use access::Disclosed;
use axum::Json;

/// A JSON response with a disclosed value.
fn disclosed<T>(value: Disclosed<T>) -> Json<T> {
    Json(value.into_inner())
}
