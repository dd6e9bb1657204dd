//! A rendered template as an answer that no cache keeps and no script can enter.

use access::{Disclosed, NotPhi};
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// What a page may load and do: our style, our images, our forms, nothing else.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// A page and its status. A page is released only as what was disclosed, or as what is no PHI.
pub(crate) struct Html<T>(StatusCode, T);

impl<T> Html<T> {
    /// A page whose disclosure is on record.
    pub(crate) fn disclosed(page: Disclosed<T>) -> Self {
        Self(StatusCode::OK, page.into_inner())
    }

    /// A page without PHI.
    pub(crate) fn not_phi(status: StatusCode, page: NotPhi<T>) -> Self {
        Self(status, page.into_inner())
    }

    /// The status and the page.
    #[cfg(test)]
    pub(super) fn into_parts(self) -> (StatusCode, T) {
        (self.0, self.1)
    }
}

impl<T: Template> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        let Self(status, page) = self;
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            // Also keeps the page from coming back with the Back button after sign-out.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        match page.render() {
            Ok(body) => (status, headers, body).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page does not render");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "<p>{{ text }}</p>", ext = "html")]
    struct Paragraph {
        text: &'static str,
    }

    #[test]
    fn no_page_is_stored_and_none_may_run_script() {
        let answer = Html(StatusCode::OK, Paragraph { text: "" }).into_response();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            !policy.contains("script-src") && !policy.contains("unsafe"),
            "{policy}"
        );
    }

    #[test]
    fn markup_in_a_value_is_shown_and_not_run() {
        let page = Paragraph {
            text: "<script>alert(1)</script>",
        }
        .render()
        .unwrap();
        assert!(!page.contains("<script"), "{page}");
    }
}
