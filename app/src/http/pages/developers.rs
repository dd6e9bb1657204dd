//! The page that describes the API, for people who write programs. It is open and the same for everyone: it has the
//! content of the `OpenAPI` document, which is open too.

use std::sync::LazyLock;

use access::NotPhi;
use askama::Template;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::header;

use super::html::CONTENT_SECURITY_POLICY;
use super::layout::Layout;
use crate::http::api::openapi::DOCUMENT;
use crate::http::fixed_document::FixedDocument;
use crate::http::fixed_document::Freshness;
use crate::http::openapi::Page;

mod reference;

use reference::Section;

/// The description of the API.
#[utoipa::path(
    get,
    path = "/developers",
    operation_id = "pages.developers",
    responses(
        (status = 304, description = "The client has the current page"),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn show(headers: HeaderMap) -> Response {
    static PAGE: LazyLock<FixedDocument> = LazyLock::new(|| {
        let page = DevelopersPage::of_document().render();
        let content = Bytes::from(page.unwrap_or_default());
        let content = NotPhi::assert(content, "the description of the API");
        FixedDocument::new("text/html; charset=utf-8", content)
    });
    let mut response = PAGE.response(&headers, Freshness::Revalidated);
    let policy = (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    response.headers_mut().extend([policy]);
    response
}

/// The page that describes the API.
#[derive(Template)]
#[template(path = "developers.html")]
pub(crate) struct DevelopersPage {
    layout: Layout,
    sections: Vec<Section>,
}

impl DevelopersPage {
    /// The page with the operations of the `OpenAPI` document.
    pub(crate) fn of_document() -> Self {
        let document = serde_json::from_str(DOCUMENT).unwrap_or_default();
        Self {
            layout: Layout {
                title: "API",
                user: None,
            },
            sections: reference::sections(&document),
        }
    }
}
