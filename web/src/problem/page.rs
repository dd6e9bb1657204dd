//! The error page for browsers, where the app cannot render one.

use http::StatusCode;
use telemetry::RequestId;

/// The style sheet, inlined: the app that serves files may be unavailable.
const STYLE: &str = include_str!("page.css");

/// The content security policy: the inlined style, by its hash, and nothing else.
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
         <p><small>Should you ask us about it: request {request}</small></p></main></body></html>"
    )
}

/// The heading for a status.
fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "This is not for you",
        404 => "There is no such page",
        408 | 504 => "This takes too long",
        413 | 414 | 431 => "This is too much at once",
        429 => "Too many requests",
        502 | 503 => "We can't be reached at the moment",
        _ => "This request can't be read",
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
    fn the_policy_lets_the_pages_own_style_through() {
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
    fn the_page_says_what_is_wrong_and_names_the_request() {
        let request = RequestId::random();
        let page = render(
            StatusCode::SERVICE_UNAVAILABLE,
            "no app can be reached: try again",
            request,
        );
        assert!(
            page.contains("<p>No app can be reached: try again.</p>"),
            "{page}"
        );
        assert!(page.contains(&request.to_string()));
    }
}
