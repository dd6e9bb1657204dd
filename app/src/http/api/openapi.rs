//! `GET /api/v1/openapi.json`.

use axum::response::IntoResponse;
use http::HeaderValue;
use http::header;

/// The `OpenAPI` 3.1 document. `app openapi` generates it from the handlers; the web tier checks requests
/// against the same file.
pub(crate) const DOCUMENT: &str = include_str!("../../../openapi.json");

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(crate) async fn document() -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        DOCUMENT,
    )
}
