//! A rendered template as an answer that no cache keeps and no script can enter.

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

/// What a page may load and do: our style, our images, our forms, nothing else.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// A page and its status. A page is released only as what was disclosed, or as what is no PHI.
pub(crate) struct Html<T> {
    status: StatusCode,
    page: T,
    /// The memory of a page whose length depends on what is stored.
    reserved: Option<Reservation>,
}

impl<T> Html<T> {
    /// A page whose disclosure is on record.
    pub(crate) fn disclosed(page: Disclosed<T>) -> Self {
        Self {
            status: StatusCode::OK,
            page: page.into_inner(),
            reserved: None,
        }
    }

    /// The same, of a page whose memory stays reserved until it was sent.
    pub(crate) fn reserved(page: Disclosed<(T, Reservation)>) -> Self {
        let (page, reserved) = page.into_inner();
        Self {
            status: StatusCode::OK,
            page,
            reserved: Some(reserved),
        }
    }

    /// A page without PHI.
    pub(crate) fn not_phi(status: StatusCode, page: NotPhi<T>) -> Self {
        Self {
            status,
            page: page.into_inner(),
            reserved: None,
        }
    }

    /// The status and the page.
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
            // Also keeps the page from coming back with the Back button after sign-out.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let body = match page.render() {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a page does not render");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let Some(mut reserved) = reserved else {
            return (status, headers, body).into_response();
        };
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
    fn no_page_is_stored_and_none_may_run_script() {
        let answer = Html {
            status: StatusCode::OK,
            page: Paragraph { text: "" },
            reserved: None,
        };
        let answer = answer.into_response();
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
