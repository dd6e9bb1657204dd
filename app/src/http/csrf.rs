//! Protection against cross-site request forgery: an unsafe request from a browser must be initiated by
//! a page of this origin.
//!
//! The stack has no other check of it. `tower_http::csrf` is more lenient in three respects: it accepts
//! a matching `Origin` before it reads `Sec-Fetch-Site`, it accepts `Sec-Fetch-Site: none`, and it
//! accepts a session cookie from a client that sends neither header.

use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::Method;
use http::header;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The initiator of a request, as the browser states it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Initiator {
    /// A page of this origin.
    SameOrigin,
    /// A page of another origin, or an ambiguous statement.
    OtherOrigin,
    /// No statement: a program or a very old browser.
    Unstated,
}

/// Middleware that refuses unsafe requests initiated by another origin, on all routes.
///
/// # Errors
///
/// [`Problem::Forbidden`].
pub(crate) async fn refuse_other_origins(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (method, headers) = (request.method(), request.headers());
    if !method.is_safe() && initiator(headers, &app.public_origin) == Initiator::OtherOrigin {
        return Err(Problem::Forbidden);
    }
    Ok(next.run(request).await)
}

/// Whether the session cookie of a request is accepted: for an unsafe method, only if the browser states
/// that a page of this origin initiated the request. A client that sends a cookie without such a
/// statement is not a current browser.
pub(crate) fn accepts_cookie(method: &Method, headers: &HeaderMap, own_origin: &str) -> bool {
    method.is_safe() || initiator(headers, own_origin) == Initiator::SameOrigin
}

/// The initiator of a request. `Origin` is used only without `Sec-Fetch-Site`, which pages cannot forge:
/// the `Origin` of a form is `null` under `Referrer-Policy: no-referrer`.
fn initiator(headers: &HeaderMap, own_origin: &str) -> Initiator {
    let is_own = match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site.as_bytes() == b"same-origin",
        (None, Some(origin)) => origin.as_bytes() == own_origin.as_bytes(),
        (None, None) => return Initiator::Unstated,
    };
    if is_own {
        Initiator::SameOrigin
    } else {
        Initiator::OtherOrigin
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
    fn only_a_page_of_this_origin_is_the_same_origin() {
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
            assert_eq!(of(headers), Initiator::OtherOrigin, "{headers:?}");
        }
        for headers in [
            &[("origin", OWN)][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        ] {
            assert_eq!(of(headers), Initiator::SameOrigin, "{headers:?}");
        }
        assert_eq!(of(&[]), Initiator::Unstated);
    }

    #[test]
    fn a_cookie_with_an_unsafe_method_is_accepted_from_this_origin_only() {
        let with = |name, value| {
            HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )])
        };
        let own = with("sec-fetch-site", "same-origin");
        let other = with("sec-fetch-site", "cross-site");
        assert!(accepts_cookie(&Method::POST, &own, OWN));
        assert!(!accepts_cookie(&Method::POST, &other, OWN));
        assert!(!accepts_cookie(&Method::POST, &HeaderMap::new(), OWN));
        assert!(!accepts_cookie(&Method::DELETE, &HeaderMap::new(), OWN));
        for headers in [own, other, HeaderMap::new()] {
            assert!(accepts_cookie(&Method::GET, &headers, OWN));
        }
    }
}
