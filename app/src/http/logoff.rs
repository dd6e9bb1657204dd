//! Automatic logoff (45 CFR 164.312(a)(2)(iii)) in the browser: a page of a signed-in person is replaced when the session has
//! ended, by its `Refresh` header without script, and by the script of pages with a warning before.

use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use time::OffsetDateTime;

use super::return_path::ReturnPath;
use crate::services::callers::SessionUse;

/// The page that replaces another one when the session has ended.
pub(crate) const SIGNED_OUT: &str = "/signed-out";

/// The time between the end of the session and the request for [`SIGNED_OUT`], so that the end has passed on every instance.
const MARGIN: time::Duration = time::Duration::seconds(2);
/// Maximum time for which a person is warned before the logoff; with a short limit, a quarter of it.
const MAX_WARNING: Duration = Duration::from_mins(2);

const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_USER: &str = "sec-fetch-user";
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Whether a browser states for each navigation if a person has caused it (Fetch Metadata).
pub(crate) fn states_its_user(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_MODE)
}

/// Whether a request is not a navigation, but one of the script of pages.
pub(crate) fn is_script_request(headers: &HeaderMap) -> bool {
    let mode = headers.get(SEC_FETCH_MODE);
    mode.is_some_and(|mode| mode.as_bytes() != b"navigate")
}

/// Whether a request is a use of its session: not a navigation that no person has caused. Otherwise two pages that were left
/// open could keep a session in force for each other.
pub(crate) fn session_use(headers: &HeaderMap) -> SessionUse {
    let is = |name: &str, value: &[u8]| headers.get(name).is_some_and(|it| it.as_bytes() == value);
    if is(SEC_FETCH_MODE, b"navigate") && !is(SEC_FETCH_USER, b"?1") {
        SessionUse::NotCounted
    } else {
        SessionUse::Counted
    }
}

/// The automatic logoff of a browser: when a page is replaced, and when a person is warned of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Logoff {
    /// The time until the page is replaced.
    pub(crate) seconds: i64,
    /// The time of the warning, before that.
    warning: Duration,
}

impl Logoff {
    /// The logoff from a session that ends at `ends_at` if it is not used, by the limit `idle`.
    pub(crate) fn new(ends_at: OffsetDateTime, now: OffsetDateTime, idle: Duration) -> Self {
        Self {
            // Rounded down, which the margin makes up for.
            seconds: (ends_at - now + MARGIN).whole_seconds().max(1),
            warning: MAX_WARNING.min(idle / 4),
        }
    }

    /// Makes the browser replace a page in time; after signing in again it returns to `next`. Responses that are no page stay
    /// as they are.
    pub(crate) fn apply(self, response: &mut Response, next: Option<&ReturnPath>) {
        let headers = response.headers_mut();
        let media_type = headers.get(header::CONTENT_TYPE);
        if !media_type.is_some_and(|it| it.as_bytes().starts_with(b"text/html")) {
            return;
        }
        let Self { seconds, warning } = self;
        let url = ReturnPath::appended_to(SIGNED_OUT, next);
        let refresh = format!("{seconds}; url={url}");
        // The only header of a page's own response that its script can read. Durations are in milliseconds.
        let timing = format!(
            "session-end;dur={seconds}000;desc=\"{url}\", session-warning;dur={}",
            warning.as_millis()
        );
        for (name, value) in [(header::REFRESH, refresh), (SERVER_TIMING, timing)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::Html;
    use axum::response::IntoResponse;
    use time::macros::datetime;

    use super::super::return_path::ReturnPaths;
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);

    fn headers_of(response: impl IntoResponse, left: time::Duration, path: &str) -> Vec<String> {
        let mut response = response.into_response();
        let pages = ReturnPaths::new(["/patients".to_owned()].into_iter());
        let logoff = Logoff::new(NOW + left, NOW, Duration::from_mins(15));
        logoff.apply(&mut response, pages.parse(path).as_ref());
        let headers = response.headers();
        let values = [header::REFRESH, SERVER_TIMING].map(|name| headers.get(name).cloned());
        let values = values.into_iter().flatten();
        values.map(|it| it.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_page_is_replaced_after_the_end_of_its_session() {
        let quarter = time::Duration::minutes(15);
        assert_eq!(
            headers_of(Html("<p>"), quarter, "/patients"),
            [
                "902; url=/signed-out?next=/patients",
                "session-end;dur=902000;desc=\"/signed-out?next=/patients\", session-warning;dur=120000"
            ]
        );
        for (left, expected) in [
            (1_500, "3; url=/signed-out"),
            (-5_000, "1; url=/signed-out"),
        ] {
            let left = time::Duration::milliseconds(left);
            assert_eq!(
                headers_of(Html("<p>"), left, "/people/x").first().unwrap(),
                expected
            );
        }
        assert!(headers_of(axum::Json(1), quarter, "/patients").is_empty());
        assert!(headers_of(http::StatusCode::NO_CONTENT, quarter, "/patients").is_empty());
    }

    #[test]
    fn a_short_limit_warns_a_quarter_of_it_before() {
        let logoff = Logoff::new(NOW, NOW, Duration::from_secs(40));
        assert_eq!(logoff.warning, Duration::from_secs(10));
    }

    #[test]
    fn a_navigation_that_no_person_has_caused_is_no_use_of_a_session() {
        let of = |mode: Option<&'static str>, user: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SEC_FETCH_MODE, mode), (SEC_FETCH_USER, user)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            session_use(&headers)
        };
        for (mode, user, expected) in [
            (Some("navigate"), None, SessionUse::NotCounted),
            (Some("navigate"), Some("?0"), SessionUse::NotCounted),
            (Some("navigate"), Some("?1"), SessionUse::Counted),
            (Some("cors"), None, SessionUse::Counted),
            (None, None, SessionUse::Counted),
        ] {
            assert_eq!(of(mode, user), expected, "{mode:?} {user:?}");
        }
    }
}
