//! Cross-site request forgery: what changes something and comes from a browser comes from a page of
//! this origin.
//!
//! The one check of it in the stack. `tower_http::csrf` is the like, and three degrees too lenient
//! here: it takes an `Origin` of ours before it asks `Sec-Fetch-Site`, takes `Sec-Fetch-Site: none`,
//! and takes a session's cookie from a client that sends neither.

use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::Method;
use http::header;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Where a request comes from, as far as a browser states it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Initiator {
    /// A page of this origin.
    OwnPage,
    /// A page of another site, or a browser that does not say so clearly.
    OtherSite,
    /// The request states nothing, as those of programs and of very old browsers.
    Unstated,
}

/// Refuses a request of another site that would change something, on every route.
///
/// # Errors
///
/// [`Problem::Forbidden`].
pub(crate) async fn refuse_other_sites(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (method, headers) = (request.method(), request.headers());
    if !method.is_safe() && initiator(headers, &app.public_origin) == Initiator::OtherSite {
        return Err(Problem::Forbidden);
    }
    Ok(next.run(request).await)
}

/// Whether a session's cookie counts with a request: it may change something only where the browser
/// states that a page of this origin sent it. A client that shows a cookie and states nothing is no
/// browser of these years.
pub(crate) fn cookie_counts(method: &Method, headers: &HeaderMap, own_origin: &str) -> bool {
    method.is_safe() || initiator(headers, own_origin) == Initiator::OwnPage
}

/// No page can forge `Sec-Fetch-Site`. The `Origin` of a form is `null` under `Referrer-Policy:
/// no-referrer`, so it counts only where the other is missing.
fn initiator(headers: &HeaderMap, own_origin: &str) -> Initiator {
    let is_own = match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site.as_bytes() == b"same-origin",
        (None, Some(origin)) => origin.as_bytes() == own_origin.as_bytes(),
        (None, None) => return Initiator::Unstated,
    };
    if is_own {
        Initiator::OwnPage
    } else {
        Initiator::OtherSite
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;

    const OWN: &str = "https://clinic.example";

    fn of(pairs: &[(&'static str, &'static str)]) -> Initiator {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        initiator(&pairs.collect(), OWN)
    }

    #[test]
    fn a_form_of_another_site_is_not_from_our_pages() {
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "https://clinic.example:8444")],
            &[("origin", "http://clinic.example")],
            &[("origin", "https://clinic.example.evil.example")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site"), ("origin", OWN)],
        ] {
            assert_eq!(of(headers), Initiator::OtherSite, "{headers:?}");
        }
        for headers in [
            &[("origin", OWN)][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        ] {
            assert_eq!(of(headers), Initiator::OwnPage, "{headers:?}");
        }
        assert_eq!(of(&[]), Initiator::Unstated);
    }

    #[test]
    fn a_cookie_changes_something_only_from_our_own_pages() {
        let with = |name, value| {
            HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )])
        };
        let own = with("sec-fetch-site", "same-origin");
        let other = with("sec-fetch-site", "cross-site");
        assert!(cookie_counts(&Method::POST, &own, OWN));
        assert!(!cookie_counts(&Method::POST, &other, OWN));
        assert!(!cookie_counts(&Method::POST, &HeaderMap::new(), OWN));
        assert!(!cookie_counts(&Method::DELETE, &HeaderMap::new(), OWN));
        for headers in [own, other, HeaderMap::new()] {
            assert!(cookie_counts(&Method::GET, &headers, OWN));
        }
    }
}
