//! The response with a page: not cached, and with a strict content security policy.

use access::Disclosed;
use access::NotPhi;
use askama::Template;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use zeroize::Zeroizing;

use crate::http::body::ResponseBody;
use crate::http::problem::Problem;
use crate::services::budget::Reservation;

/// The content security policy of pages: styles, images, forms and scripts of this origin, nothing else. No script stands in a
/// page, or can insert markup.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

/// A page with its status. It is constructed only from a disclosed value or a value without PHI.
pub(crate) struct Html<T> {
    status: StatusCode,
    page: T,
    /// The memory of a page whose length depends on stored records.
    reserved: Option<Reservation>,
}

impl<T> Html<T> {
    /// A disclosed page.
    pub(crate) fn disclosed(page: Disclosed<T>) -> Self {
        Self {
            status: StatusCode::OK,
            page: page.into_inner(),
            reserved: None,
        }
    }

    /// A disclosed page whose memory is reserved until it is sent.
    pub(crate) fn reserved(page: Disclosed<(T, Reservation)>) -> Self {
        let (page, reserved) = page.into_inner();
        Self {
            status: StatusCode::OK,
            page,
            reserved: Some(reserved),
        }
    }

    /// The page with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn not_phi(status: StatusCode, page: NotPhi<T>) -> Self {
        Self {
            status,
            page: page.into_inner(),
            reserved: None,
        }
    }

    #[cfg(test)]
    pub(super) fn into_parts(self) -> (StatusCode, T) {
        (self.status, self.page)
    }
}

impl<T: Template> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        let Self {
            status,
            page,
            reserved,
        } = self;
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            // Also prevents the Back button from showing the page after sign-out.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let body = match page.render() {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a page cannot be rendered");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let Some(mut reserved) = reserved else {
            return (status, headers, body).into_response();
        };
        // The reservation was estimated from the records, and the rendered page may be longer.
        let missing = body.len().saturating_sub(reserved.amount());
        if let Err(error) = reserved.grow(missing) {
            return Problem::from(error).into_response();
        }
        let body = ResponseBody::reserved(Zeroizing::new(body.into_bytes()), reserved);
        (status, headers, Body::from(body)).into_response()
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
    fn pages_are_not_cached_and_run_no_script_of_their_own() {
        let response = Html {
            status: StatusCode::OK,
            page: Paragraph { text: "" },
            reserved: None,
        };
        let response = response.into_response();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            policy.contains("script-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
    }

    #[test]
    fn markup_in_a_value_is_escaped() {
        let page = Paragraph {
            text: "<script>alert(1)</script>",
        }
        .render()
        .unwrap();
        assert!(!page.contains("<script"), "{page}");
    }
}
