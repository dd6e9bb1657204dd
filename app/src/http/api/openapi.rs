//! The description of everything that is served.

use axum::response::IntoResponse;
use http::{HeaderValue, header};

/// The `OpenAPI` 3.1 document, as it is served. The web tier holds every request against the same
/// file.
pub(crate) const DOCUMENT: &str = include_str!("../../../openapi.json");

/// `GET /api/v1/openapi.json`.
pub(crate) async fn document() -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        DOCUMENT,
    )
}
