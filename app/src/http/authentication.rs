//! Authentication: from a request to its [`Caller`], before any handler runs.

use std::sync::Arc;

use access::{Caller, CredentialKind, RequestOrigin};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use phi::SecretToken;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The session cookie. The prefix makes browsers demand `Secure`, `Path=/` and no `Domain`.
pub(crate) const SESSION_COOKIE: &str = "__Host-session";

/// Lets only signed-in callers through.
///
/// # Errors
///
/// [`Problem::SignInRequired`]; [`Problem::Forbidden`] for a form sent from another site.
pub(crate) async fn authenticate(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let origin = *request
        .extensions()
        .get::<RequestOrigin>()
        .ok_or(Problem::Internal)?;
    let headers = request.headers();
    let (token, kind) = if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(bearer);
        (token, CredentialKind::Token)
    } else {
        let cookie = session_cookie(headers);
        let is_own = request.method().is_safe() || from_own_page(headers, &app.public_origin);
        if cookie.is_some() && !is_own {
            return Err(Problem::Forbidden);
        }
        (cookie, CredentialKind::Session)
    };
    let token = token.ok_or(Problem::SignInRequired)?;
    let caller = app.callers.authenticate(&token, kind, origin).await?;
    let caller = CurrentCaller(Arc::new(caller.ok_or(Problem::SignInRequired)?));
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Refuses what a page of another site sends, whoever is signed in.
///
/// # Errors
///
/// [`Problem::Forbidden`].
pub(crate) async fn refuse_other_sites(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let from_elsewhere = is_from_elsewhere(request.method(), request.headers(), &app.public_origin);
    if from_elsewhere {
        Err(Problem::Forbidden)
    } else {
        Ok(next.run(request).await)
    }
}

/// The caller of a request, for handlers of routes behind [`authenticate`].
#[derive(Clone, Debug)]
pub(crate) struct CurrentCaller(Arc<Caller>);

impl std::ops::Deref for CurrentCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for CurrentCaller {
    type Rejection = Problem;

    /// Fails on a route that is not behind [`authenticate`].
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get().cloned();
        caller.ok_or_else(|| Problem::internal("a handler needs a caller on an open route"))
    }
}

/// The origin of a request, for handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(pub(crate) RequestOrigin);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let origin = parts.extensions.get().copied().map(Self);
        origin.ok_or_else(|| Problem::internal("a request has no origin"))
    }
}

fn bearer(value: &str) -> Option<SecretToken> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SecretToken::parse(token.trim()))?
}

/// The session cookie's value; none if there are two.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<SecretToken> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == SESSION_COOKIE);
    let (_, value) = found.next()?;
    if found.next().is_some() {
        None
    } else {
        SecretToken::parse(value)
    }
}

/// Whether the browser says that a page of ours sent this. No page can forge `Sec-Fetch-Site`; the
/// `RequestOrigin` of a form is `null` under `Referrer-Policy: no-referrer`, so it is asked second.
fn from_own_page(headers: &HeaderMap, own: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site.as_bytes() == b"same-origin",
        (None, Some(origin)) => origin.as_bytes() == own.as_bytes(),
        (None, None) => false,
    }
}

/// Whether the browser says that a page of another site sent this to change something.
fn is_from_elsewhere(method: &Method, headers: &HeaderMap, own: &str) -> bool {
    let says = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    !method.is_safe() && says && !from_own_page(headers, own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://localhost:8443";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_form_of_another_site_is_not_from_our_pages() {
        assert!(from_own_page(&headers(&[("origin", OWN)]), OWN));
        assert!(from_own_page(
            &headers(&[("sec-fetch-site", "same-origin")]),
            OWN
        ));
        let form = [("origin", "null"), ("sec-fetch-site", "same-origin")];
        assert!(from_own_page(&headers(&form), OWN));
        assert!(!from_own_page(&headers(&[("origin", "null")]), OWN));
        assert!(!from_own_page(
            &headers(&[("origin", "https://localhost:8444")]),
            OWN
        ));
        assert!(!from_own_page(
            &headers(&[("sec-fetch-site", "same-site")]),
            OWN
        ));
        assert!(!from_own_page(&headers(&[]), OWN));
    }

    #[test]
    fn a_client_that_is_no_browser_may_change_things() {
        assert!(!is_from_elsewhere(&Method::POST, &headers(&[]), OWN));
        assert!(is_from_elsewhere(
            &Method::POST,
            &headers(&[("origin", "https://evil.example")]),
            OWN
        ));
        assert!(!is_from_elsewhere(
            &Method::GET,
            &headers(&[("sec-fetch-site", "cross-site")]),
            OWN
        ));
    }

    #[test]
    fn of_two_session_cookies_neither_counts() {
        let token = SecretToken::random();
        let one = format!("{SESSION_COOKIE}={}", token.expose());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {one}").parse().unwrap());
        assert!(session_cookie(&headers).is_some());
        headers.append(header::COOKIE, one.parse().unwrap());
        assert!(session_cookie(&headers).is_none());
    }
}
