//! The error page for browsers.

use http::StatusCode;
use telemetry::RequestId;

/// The inlined style sheet: the app that serves files may be unavailable.
const STYLE: &str = include_str!("page.css");

/// The content security policy, which allows only the inlined style, by its hash.
pub(super) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-LHArPvKx+bjdL5RLnQm5ymgp7jvL7kA3EFNd1SXeZLs='; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Renders the page. `detail` is one of the fixed texts of [`super::Problem`], and is not escaped.
pub(super) fn render(status: StatusCode, detail: &str, request: RequestId) -> String {
    let title = title(status);
    let mut letters = detail.chars();
    let first = letters.next().map(char::to_uppercase);
    let sentence: String = first.into_iter().flatten().chain(letters).collect();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{sentence}.</p>\
         <p><a href=\"/\">To the start page</a></p>\
         <p><small>For support, quote request {request}</small></p></main></body></html>"
    )
}

/// The heading for a status.
fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "Access denied",
        404 => "Page not found",
        408 | 504 => "The request took too long",
        413 | 414 | 431 => "The request is too large",
        429 => "Too many requests",
        502 | 503 => "The service is unavailable",
        _ => "The request cannot be processed",
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::Digest as _;
    use sha2::Sha256;

    use super::*;

    #[test]
    fn the_policy_allows_the_style_of_the_page() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(
            POLICY.contains(&format!("style-src 'sha256-{hash}';")),
            "{hash}"
        );
        for loaded in ["url(", "@import", "http", "<"] {
            assert!(!STYLE.contains(loaded));
        }
    }

    #[test]
    fn the_page_has_the_detail_and_the_request_id() {
        let request = RequestId::random();
        let page = render(
            StatusCode::SERVICE_UNAVAILABLE,
            "no upstream can be reached: try again",
            request,
        );
        assert!(
            page.contains("<p>No upstream can be reached: try again.</p>"),
            "{page}"
        );
        assert!(page.contains(&request.to_string()));
    }
}
