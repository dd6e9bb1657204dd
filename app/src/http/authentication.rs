//! Authentication: from a request to its [`Caller`], before any handler runs.

use std::sync::Arc;

use access::Caller;
use access::CredentialKind;
use access::RequestOrigin;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header;
use http::request::Parts;
use phi::SecretToken;

use crate::http::csrf::cookie_counts;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_FORM_BYTES;

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
    let credentials = credentials(&app, &request);
    match identify(&app, credentials).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.run(request).await)
        }
        Err(problem) => {
            // As much as the web tier sends before it waits for a response.
            discard(request.body_mut(), MAX_FORM_BYTES).await;
            Err(problem)
        }
    }
}

/// What a request presents to be authenticated by.
struct Credentials {
    token: SecretToken,
    kind: CredentialKind,
    origin: RequestOrigin,
}

/// The credentials that a request presents.
fn credentials(app: &AppState, request: &Request) -> Result<Credentials, Problem> {
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
        if cookie.is_some() && !cookie_counts(request.method(), headers, &app.public_origin) {
            return Err(Problem::Forbidden);
        }
        (cookie, CredentialKind::Session)
    };
    Ok(Credentials {
        token: token.ok_or(Problem::SignInRequired)?,
        kind,
        origin,
    })
}

/// The caller that credentials prove.
async fn identify(
    app: &AppState,
    credentials: Result<Credentials, Problem>,
) -> Result<CurrentCaller, Problem> {
    let Credentials {
        token,
        kind,
        origin,
    } = credentials?;
    let caller = app.callers.authenticate(&token, kind, origin).await?;
    Ok(CurrentCaller(Arc::new(
        caller.ok_or(Problem::SignInRequired)?,
    )))
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

/// The token of `Bearer 1*SP token` (RFC 9110, 11.4; RFC 6750, 2.1).
fn bearer(value: &str) -> Option<SecretToken> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SecretToken::parse(token.trim_start_matches(' ')))?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_stands_behind_its_scheme_in_any_case_and_one_space_or_more() {
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
