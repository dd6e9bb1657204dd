//! Authentication: the [`Caller`] of a request, determined before a handler runs.

use std::sync::Arc;

use access::Caller;
use access::CredentialKind;
use access::RequestOrigin;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::HeaderMap;
use http::Method;
use http::header;
use http::request::Parts;
use phi::SecretToken;
use time::OffsetDateTime;

use crate::http::csrf::accepts_cookie;
use crate::http::kept_form;
use crate::http::kept_form::Keepable;
use crate::http::logoff::Logoff;
use crate::http::logoff::session_use;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPath;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_FORM_BYTES;
use crate::services::callers::SessionUse;

/// The name of the session cookie. For the prefix, browsers require `Secure`, `Path=/` and no `Domain`.
pub(crate) const SESSION_COOKIE: &str = "__Host-session";

/// Middleware that rejects requests without an authenticated caller.
///
/// # Errors
///
/// [`Problem::SignInRequired`]; [`Problem::Forbidden`] for a cookie in a cross-site request.
pub(crate) async fn authenticate(
    State(app): State<AppState>,
    mut request: Request,
    next_handler: Next,
) -> Result<Response, Problem> {
    let presented = presented_token(&app, &request);
    match identify(&app, presented).await {
        Ok((caller, ends_at)) => {
            let is_session = caller.credential().kind == CredentialKind::Session;
            let logoff = Logoff::new(ends_at, app.clock.now(), app.callers.limits().idle);
            let next = ReturnPath::of_request(&request);
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(logoff);
            let mut response = next_handler.run(request).await;
            if is_session {
                logoff.apply(&mut response, next.as_ref());
            }
            Ok(response)
        }
        Err(problem) => {
            let kept = match session_cookie(request.headers()) {
                Some(token) if problem == Problem::SignInRequired => {
                    kept_form::keep(&app, &token, &mut request).await?
                }
                _ => None,
            };
            // At most as much as the web tier sends before it waits for a response.
            discard(request.body_mut(), MAX_FORM_BYTES).await;
            let mut response = problem.into_response();
            if let Some(kept) = kept {
                response.extensions_mut().insert(kept);
            }
            Ok(response)
        }
    }
}

/// The session or bearer token that a request presents.
struct PresentedToken {
    token: SecretToken,
    kind: CredentialKind,
    origin: RequestOrigin,
    session_use: SessionUse,
    /// Whether the request has a form that is kept if the session has ended.
    is_keepable: bool,
}

/// The token that a request presents, from `Authorization` or the cookie.
fn presented_token(app: &AppState, request: &Request) -> Result<PresentedToken, Problem> {
    let origin = *request
        .extensions()
        .get::<RequestOrigin>()
        .ok_or(Problem::Internal)?;
    let headers = request.headers();
    // A request with `Authorization` is never authenticated by its cookie, even if the token is invalid.
    let (token, kind) = if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(bearer);
        (token, CredentialKind::Token)
    } else {
        let cookie = session_cookie(headers);
        if cookie.is_some() && !accepts_cookie(request.method(), headers, &app.public_origin) {
            return Err(Problem::Forbidden);
        }
        (cookie, CredentialKind::Session)
    };
    Ok(PresentedToken {
        token: token.ok_or(Problem::SignInRequired)?,
        kind,
        origin,
        session_use: session_use(headers),
        is_keepable: request.extensions().get::<Keepable>().is_some()
            && *request.method() == Method::POST,
    })
}

/// The caller that a token authenticates, and the end of its session.
async fn identify(
    app: &AppState,
    presented: Result<PresentedToken, Problem>,
) -> Result<(CurrentCaller, OffsetDateTime), Problem> {
    let PresentedToken {
        token,
        kind,
        origin,
        session_use,
        is_keepable,
    } = presented?;
    let is_unsent = session_use == SessionUse::NotCounted && is_keepable;
    if is_unsent {
        // The script of pages has sent the form so that it is kept: a person has not.
        return Err(Problem::SignInRequired);
    }
    let authenticated = app.callers.authenticate(&token, kind, origin, session_use);
    let authenticated = authenticated.await?.ok_or(Problem::SignInRequired)?;
    let caller = CurrentCaller(Arc::new(authenticated.caller));
    Ok((caller, authenticated.ends_at))
}

/// Extractor of the caller, for handlers of routes with [`authenticate`].
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

    /// Fails on a route without [`authenticate`].
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get().cloned();
        caller.ok_or_else(|| Problem::internal("a handler of an open route requires a caller"))
    }
}

/// Extractor of the request's origin, for handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurrentOrigin(pub(crate) RequestOrigin);

impl<S: Sync> FromRequestParts<S> for CurrentOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let origin = parts.extensions.get().copied().map(Self);
        origin.ok_or_else(|| Problem::internal("the request has no origin"))
    }
}

/// The token of `Bearer 1*SP token` (RFC 9110, 11.4; RFC 6750, 2.1).
fn bearer(value: &str) -> Option<SecretToken> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SecretToken::parse(token.trim_start_matches(' ')))?
}

/// The token of the session cookie; none if the request has two.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_follows_its_scheme_in_any_case_and_one_space_or_more() {
        let token = SecretToken::random();
        for scheme in ["Bearer ", "bearer ", "BEARER   "] {
            let value = format!("{scheme}{}", token.expose());
            let read = bearer(&value).map(|read| read.expose().to_owned());
            assert_eq!(read.as_deref(), Some(token.expose()), "{scheme}");
        }
        for (scheme, after) in [
            ("Bearer", ""),
            ("Bearer\t", ""),
            ("Bearer \t", ""),
            (" Bearer ", ""),
            ("Basic ", ""),
            ("Bearer ", " "),
            ("Bearer ", ","),
        ] {
            let value = format!("{scheme}{}{after}", token.expose());
            assert!(bearer(&value).is_none(), "{value}");
        }
        assert!(bearer("Bearer ").is_none() && bearer("Bearer").is_none());
    }

    #[test]
    fn two_session_cookies_are_both_ignored() {
        let token = SecretToken::random();
        let one = format!("{SESSION_COOKIE}={}", token.expose());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {one}").parse().unwrap());
        assert!(session_cookie(&headers).is_some());
        headers.append(header::COOKIE, one.parse().unwrap());
        assert!(session_cookie(&headers).is_none());
    }
}
