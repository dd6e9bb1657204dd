//! `GET /api/v1/openapi.json`.

use std::sync::LazyLock;

use access::NotPhi;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use crate::http::fixed_document::FixedDocument;
use crate::http::fixed_document::Freshness;

/// The `OpenAPI` 3.1 document. `app openapi` generates it from the handlers; the web tier checks requests
/// against the same file.
pub(crate) const DOCUMENT: &str = include_str!("../../../openapi.json");

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "workflow.openapi",
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json"),
        (status = 304, description = "The client has the current document")
    )
)]
pub(crate) async fn document(headers: HeaderMap) -> Response {
    static SERVED: LazyLock<FixedDocument> = LazyLock::new(|| {
        let content = Bytes::from_static(DOCUMENT.as_bytes());
        let content = NotPhi::assert(content, "the description of the API");
        FixedDocument::new("application/json", content)
    });
    SERVED.response(&headers, Freshness::Revalidated)
}
